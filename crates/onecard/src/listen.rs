//! The listeners: pages for browsers, the gateway for terminals.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use axum::Router;
use axum::middleware::from_fn;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use flows::School;

use crate::Failure;
use crate::tls::{Authority, tell_peer};

/// Opens a port now, so that a taken one is an error before anything else starts.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address)
        .map_err(|fault| format!("cannot listen on {address}: {fault}; choose another port or stop what uses it"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves pages, in clear or over TLS.
pub async fn pages(
    listener: TcpListener,
    router: Router,
    tls: Option<(&Path, &Path)>,
    handle: Handle<SocketAddr>,
) -> Result<(), Failure> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        Some((certificate, key)) => {
            let config = RustlsConfig::from_pem_file(certificate, key).await?;
            axum_server::from_tcp_rustls(listener, config)?.handle(handle).serve(service).await?;
        }
        None => axum_server::from_tcp(listener)?.handle(handle).serve(service).await?,
    }
    Ok(())
}

/// Serves terminals over mutual TLS.
pub async fn terminals(
    listener: TcpListener,
    school: School,
    authority: &Authority,
    host: &str,
    handle: Handle<SocketAddr>,
) -> Result<(), Failure> {
    let router = web::gateway::router(school).layer(from_fn(tell_peer));
    let server = axum_server::from_tcp_rustls(listener, authority.server(host)?)?.handle(handle);
    server.serve(router.into_make_service()).await?;
    Ok(())
}
