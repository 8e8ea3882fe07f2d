//! Carries events over HTTP: one signed POST to an address that the school's operator allows.

use std::fs;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use flows::ports::{Courier, Parcel, Receipt, Waiting};
use ledger::Micros;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use rules::webhook::host;

use crate::Failure;
use crate::config::WebhookPart;
use crate::prompt::{Said, sentence};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The header with the time and the signatures.
pub const SIGNATURE: &str = "Onecard-Signature";
/// The header with the number of the sending.
pub const DELIVERY: &str = "Onecard-Delivery";

/// Sends parcels to hosts that the operator allows.
pub struct HttpCourier {
    http: Client,
    allowed: Vec<String>,
}

impl HttpCourier {
    /// To these hosts and to no other; no redirect is followed and no proxy asked, so that none but they are reached.
    ///
    /// Errors: the file of certificates cannot be read, or holds none.
    pub fn new(part: &WebhookPart) -> Result<HttpCourier, Failure> {
        let builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .user_agent(concat!("onecard/", env!("CARGO_PKG_VERSION")));
        let authorities = part.ca_file.as_deref().map(authorities).transpose()?.unwrap_or_default();
        let builder = authorities.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        let allowed = part.allow.iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(HttpCourier { http: builder.build()?, allowed })
    }

    /// Where this address leads, if it may be called. Error: why not.
    pub fn allowed(&self, address: &str) -> Result<Url, Said> {
        let host = host(address).map_err(|refusal| Said(refusal.words().en))?;
        let url = Url::parse(address).map_err(|fault| Said(fault.to_string()))?;
        // Whoever reads an address otherwise than we do would call another host.
        if url.host_str() != Some(host.as_str()) {
            return Err(Said(format!("{address} can be read in two ways")));
        }
        if !self.allowed.contains(&host) {
            return Err(Said(format!("{host} is not among the hosts of `allow` in [webhooks] of the configuration")));
        }
        Ok(url)
    }

    async fn send(&self, parcel: &Parcel) -> Result<u16, Failure> {
        let url = self.allowed(&parcel.url)?;
        let body = web::parcel_body(parcel)?;
        let keys = parcel.secrets.iter().map(|secret| secret.expose_for("the signature of a delivery").as_str());
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(DELIVERY, parcel.id.to_string())
            .header(SIGNATURE, signature(keys, parcel.at, &body))
            .body(body);
        // An address may hold a secret of its receiver: it is not told in logs. What stands in the answer is not read.
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        Ok(answer.status().as_u16())
    }
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let told = |why: &dyn std::error::Error| Said(format!("webhooks.ca_file {}: {}", file.display(), sentence(why)));
    let pem = fs::read(file).map_err(|fault| told(&fault))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|fault| told(&fault))?;
    if found.is_empty() {
        return Err(Said(format!("webhooks.ca_file {}: no certificate in it", file.display())).into());
    }
    Ok(found)
}

/// `t=<seconds>,v1=<hex>`, with one `v1` for each secret: HMAC-SHA256 of the seconds, a full stop and the body.
fn signature<'a>(secrets: impl Iterator<Item = &'a str>, at: Micros, body: &[u8]) -> String {
    let seconds = at.seconds();
    let message = [format!("{seconds}.").as_bytes(), body].concat();
    let mut text = format!("t={seconds}");
    for secret in secrets {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &message);
        text.push_str(",v1=");
        tag.as_ref().iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
    }
    text
}

impl Courier for HttpCourier {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Waiting<'a, Receipt> {
        Box::pin(async move {
            match self.send(parcel).await {
                Ok(status) => Receipt::Answered(status),
                Err(fault) => Receipt::Silent(sentence(fault.as_ref())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR_SHORT: &str = "t=1795392000,v1=180b0225cf73cc826c903ddaa7282d7f2de523800bafc65c9535f29b0e98d3a3";
    const VECTOR_TWO: &str = "t=1795392000,v1=1b032e064bdd8b8adc9dc0622f30e735d54391acfb9d7f5e662f7a26eb647cf8,v1=e4d678102669982be7b817967dc3c39e1c03c099b112f7b057fd671685a117ab";

    fn courier(allow: &[&str]) -> HttpCourier {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let allow = allow.iter().map(|host| (*host).to_owned()).collect();
        HttpCourier::new(&WebhookPart { allow, ca_file: None }).expect("builds")
    }

    #[test]
    fn the_signatures_are_those_of_the_documentation() {
        let at = Micros::from_seconds(1_795_392_000);
        let table = [
            (&["ocwh_test"][..], &b"{}"[..], VECTOR_SHORT),
            (&["ocwh_new", "ocwh_old"], "{\"name\":\"校园\"}".as_bytes(), VECTOR_TWO),
        ];
        for (secrets, body, expected) in table {
            assert_eq!(signature(secrets.iter().copied(), at, body), expected);
        }
        let documented = include_str!("../../../docs/webhooks.md");
        assert!(documented.contains(VECTOR_SHORT) && documented.contains(VECTOR_TWO));
    }

    fn parcel(url: String) -> Parcel {
        let (after, upto) = (rules::event::Cursor::START, rules::event::Cursor::START);
        let secrets = vec![flows::ports::Pii::new("ocwh_test".to_owned())];
        let (id, at) = (ledger::Id::new(9), Micros::from_seconds(1_795_392_000));
        Parcel { id, webhook: "portal".to_owned(), url, secrets, at, after, upto, events: Vec::new() }
    }

    /// Answers one request with these bytes; gives its address, and what was asked.
    fn listener(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                let mut some = [0; 4096];
                let count = stream.read(&mut some).expect("bytes");
                asked.extend_from_slice(&some[..count]);
            }
            stream.write_all(answer.as_bytes()).expect("is sent");
            String::from_utf8(asked).expect("text")
        });
        (address, asked)
    }

    #[test]
    fn a_parcel_goes_out_signed_and_a_redirect_is_an_answer_that_is_not_followed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runs");
        let courier = courier(&["127.0.0.1"]);
        let moved = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        for (answer, status) in [("HTTP/1.1 204 No Content\r\n\r\n", 204), (moved, 307)] {
            let (url, asked) = listener(answer);
            let receipt = runtime.block_on(courier.deliver(&parcel(url)));
            assert_eq!(receipt, Receipt::Answered(status));
            let asked = asked.join().expect("is heard");
            let (head, body) = asked.split_once("\r\n\r\n").expect("head and body");
            let signed = signature(std::iter::once("ocwh_test"), Micros::from_seconds(1_795_392_000), body.as_bytes());
            assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
            assert!(head.contains(&format!("onecard-signature: {signed}")), "{head}");
            assert!(head.contains("onecard-delivery: 00000000000000000000000000000009"), "{head}");
        }
        let gone = runtime.block_on(courier.deliver(&parcel("http://127.0.0.1:1/hook".to_owned())));
        assert!(matches!(gone, Receipt::Silent(_)), "{gone:?}");
        let elsewhere = runtime.block_on(courier.deliver(&parcel("https://other.example/hook".to_owned())));
        assert!(matches!(&elsewhere, Receipt::Silent(why) if why.contains("allow")), "{elsewhere:?}");
    }

    #[test]
    fn only_hosts_that_the_operator_allows_are_called() {
        let courier = courier(&["Portal.example.edu.cn", "127.0.0.1"]);
        let table = [
            ("https://portal.example.edu.cn/hook", true),
            ("https://PORTAL.example.edu.cn:8443/hook", true),
            ("http://127.0.0.1:9000/hook", true),
            ("http://portal.example.edu.cn/hook", false),
            ("https://portal.example.edu.cn.evil.example/", false),
            ("https://other.example.edu.cn/", false),
            ("http://localhost:9000/", false),
            ("https://127.1/", false),
            ("https://2130706433/", false),
            ("https://0x7f.1/", false),
        ];
        for (address, expected) in table {
            assert_eq!(courier.allowed(address).is_ok(), expected, "{address}");
        }
    }
}
