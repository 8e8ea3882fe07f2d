//! The school's own authority for terminals, and the listener that tells which terminal came.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use axum_server::tls::TlsInfo;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use web::gateway::PeerCertificate;

use crate::Failure;

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";

/// Signs the certificates of terminals and, for them, the platform's.
pub struct Authority {
    folder: PathBuf,
    ca_pem: String,
    ca_key: KeyPair,
}

/// What the authority's certificate says of itself; the same every time it signs.
fn issuer_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "onecard terminals");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

/// A certificate and its key, PEM.
pub struct Identity {
    /// Certificate.
    pub certificate: String,
    /// Private key.
    pub key: String,
}

impl Authority {
    /// The authority in `folder`; made there when there is none yet.
    pub fn open(folder: &Path) -> Result<Authority, Failure> {
        let (ca_path, key_path) = (folder.join(CA), folder.join(CA_KEY));
        if !key_path.exists() {
            fs::create_dir_all(folder)?;
            let key = KeyPair::generate()?;
            fs::write(&ca_path, issuer_params().self_signed(&key)?.pem())?;
            write_secret(&key_path, key.serialize_pem().as_bytes())?;
        }
        Ok(Authority {
            folder: folder.to_owned(),
            ca_pem: fs::read_to_string(&ca_path)?,
            ca_key: KeyPair::from_pem(&fs::read_to_string(&key_path)?)?,
        })
    }

    /// The authority's certificate, PEM: what a terminal checks the platform with.
    pub fn certificate(&self) -> &str {
        &self.ca_pem
    }

    /// A fresh identity for a terminal.
    pub fn terminal(&self, name: &str) -> Result<Identity, Failure> {
        self.sign(name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, name: &str, hosts: Vec<String>, purpose: ExtendedKeyUsagePurpose) -> Result<Identity, Failure> {
        let issuer = Issuer::new(issuer_params(), &self.ca_key);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// The listener's side of mutual TLS 1.3: only certificates of this authority come in.
    pub fn server(&self, host: &str) -> Result<RustlsConfig, Failure> {
        let identity = self.sign("onecard platform", vec![host.to_owned()], ExtendedKeyUsagePurpose::ServerAuth)?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        tracing::debug!(folder = %self.folder.display(), "terminals' listener is ready");
        Ok(RustlsConfig::from_config(Arc::new(config)))
    }
}

/// SHA-256 of a certificate.
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, der).as_ref());
    hash
}

/// Writes a file that only its owner may read; an existing one is an error.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts the certificate that the connection showed into the request.
pub async fn tell_peer(mut request: Request, next: Next) -> Response {
    let shown = request.extensions().get::<Arc<TlsInfo>>().and_then(|info| info.peer_certificates.first());
    let peer = shown.map(|der| PeerCertificate(fingerprint(der)));
    request.extensions_mut().insert(peer);
    next.run(request).await
}

/// SHA-256 of the certificate in a PEM text.
pub fn fingerprint_of_pem(pem: &str) -> Result<[u8; 32], Failure> {
    Ok(fingerprint(&CertificateDer::from_pem_slice(pem.as_bytes())?))
}
