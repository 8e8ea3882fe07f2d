//! The listeners: pages for browsers, the gateway for terminals.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use flows::School;

use crate::Failure;
use crate::tls::{Authority, tell_peer};

/// What the head of a request may weigh, bytes. A browser that keeps every cookie of ours sends less than 2,000.
const HEAD: usize = 16 * 1024;
/// How long the head of a request may take to arrive, and how long a connection may lie idle between two.
const HEAD_TIME: Duration = Duration::from_secs(30);

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
            bounded(axum_server::from_tcp_rustls(listener, config)?).handle(handle).serve(service).await?;
        }
        None => bounded(axum_server::from_tcp(listener)?).handle(handle).serve(service).await?,
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
    let server = bounded(axum_server::from_tcp_rustls(listener, authority.server(host)?)?).handle(handle);
    server.serve(router.into_make_service()).await?;
    Ok(())
}

/// Nobody holds a connection by sending a head that is long or never ends: a longer one is answered with 431, a slower one
/// with nothing.
fn bounded<A>(mut server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let http = server.http_builder();
    http.http1().max_buf_size(HEAD).header_read_timeout(HEAD_TIME);
    http.http2().max_header_list_size(16 * 1024);
    server.first_request_timeout(HEAD_TIME)
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    /// What a server answers to these bytes until it closes, or for an hour of the paused clock.
    async fn told(bytes: &str) -> io::Result<String> {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr()?;
        let handle = Handle::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let serving = tokio::spawn(pages(listener, router, None, handle.clone()));
        let mut client = TcpStream::connect(address).await?;
        client.write_all(bytes.as_bytes()).await?;
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(3600), client.read_to_end(&mut answer)).await;
        handle.shutdown();
        serving.abort();
        read.expect("the server closes the connection by itself")?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn head_with_a_cookie_of(bytes: usize) -> String {
        format!("GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\ncookie: {}\r\n\r\n", "x".repeat(bytes))
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_too_long_is_refused_and_one_of_any_browser_is_not() {
        let usual = told(&head_with_a_cookie_of(4_000)).await.expect("an answer");
        assert!(usual.starts_with("HTTP/1.1 200") && usual.ends_with("here"), "{usual}");
        let long = told(&head_with_a_cookie_of(2 * HEAD)).await;
        // What was not read yet when the server closed may end the connection hard.
        assert!(
            long.as_ref().map_or(true, |answer| answer.is_empty() || answer.starts_with("HTTP/1.1 431")),
            "{long:?}"
        );
        assert!(!long.is_ok_and(|answer| answer.contains("here")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_and_a_connection_that_says_nothing_are_closed() {
        for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: here\r\n"] {
            let answer = told(begun).await.unwrap_or_default();
            assert!(!answer.contains("here"), "{begun:?}: {answer}");
        }
    }
}
