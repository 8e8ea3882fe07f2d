//! The terminal's connection: a WebSocket over mutual TLS 1.3, made again whenever it is gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use link::{FRAME_LIMIT, ToPlatform, ToTerminal};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Identity, Server, StartFault};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How often the terminal says that it lives.
const PING: Duration = Duration::from_secs(30);
/// Silence after which a connection is dead.
const DEAD: Duration = Duration::from_secs(75);
/// Bounds of the pause before the next try, in milliseconds.
const PAUSE: (u64, u64) = (1_000, 60_000);
/// Messages that may wait for the line; an agent has far fewer under way.
const WAITING: usize = 256;

pub(super) enum Event {
    /// A connection stands; this sends on it.
    Up(mpsc::Sender<ToPlatform>),
    Heard(ToTerminal),
    /// It is gone, or could not be made.
    Down(String),
}

/// How to reach the platform.
pub(super) struct Dial {
    server: Server,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// Why a connection is gone.
#[derive(Debug, thiserror::Error)]
enum Gone {
    #[error("no connection to the platform within {} s", CONNECT.as_secs())]
    TooSlow,
    #[error("cannot connect to the platform: {0}")]
    Io(#[from] std::io::Error),
    #[error("the connection to the platform broke: {0}")]
    WebSocket(#[from] tokio_tungstenite::tungstenite::Error),
    #[error("the platform closed the connection")]
    Closed,
    #[error("the platform has been silent for {} s", DEAD.as_secs())]
    Silent,
    #[error("not a message of this protocol: {0}")]
    Frame(#[from] link::FrameFault),
    #[error("the platform sent text where messages are binary")]
    Text,
    #[error("the terminal stops")]
    Stopped,
}

impl Dial {
    pub(super) fn new(server: &Server, identity: &Identity) -> Result<Dial, StartFault> {
        let name = ServerName::try_from(server.host.clone()).map_err(|_| StartFault::Host(server.host.clone()))?;
        let chain = certificates(&identity.certificate).ok_or(StartFault::Pem("certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| StartFault::Pem("private key"))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&identity.authority).ok_or(StartFault::Pem("authority"))? {
            roots.add(root).map_err(StartFault::Tls)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(StartFault::Tls)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(StartFault::Tls)?;
        Ok(Dial { server: server.clone(), name, tls: TlsConnector::from(Arc::new(config)) })
    }

    async fn connect(&self) -> Result<WebSocketStream<TlsStream<TcpStream>>, Gone> {
        let Server { host, port } = &self.server;
        let tcp = TcpStream::connect((host.as_str(), *port)).await?;
        // Messages are small and a person waits for each.
        tcp.set_nodelay(true)?;
        let tls = self.tls.connect(self.name.clone(), tcp).await?;
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let limits = WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
        let address = format!("wss://{bracketed}:{port}/link/v1");
        Ok(client_async_with_config(address, tls, Some(limits)).await?.0)
    }
}

/// All certificates of a PEM text; `None` for none or a broken one.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    (!chain.is_empty()).then_some(chain)
}

/// Keeps a connection until nobody listens to its events.
pub(super) async fn keep(dial: Dial, events: mpsc::Sender<Event>, mut entropy: Box<dyn FnMut() -> [u8; 16] + Send>) {
    let mut failures = 0_u32;
    loop {
        let mut heard = false;
        let why = match timeout(CONNECT, dial.connect()).await {
            Err(_) => Gone::TooSlow,
            Ok(Err(gone)) => gone,
            Ok(Ok(socket)) => {
                tracing::info!(server = %dial.server.host, "connected to the platform at {}", dial.server.host);
                serve(socket, &events, &mut heard).await
            }
        };
        tracing::warn!(server = %dial.server.host, %why, "not connected to the platform: {why}");
        if events.send(Event::Down(why.to_string())).await.is_err() {
            return;
        }
        failures = if heard { 0 } else { failures.saturating_add(1) };
        sleep(pause(failures, entropy())).await;
    }
}

/// Full jitter: anything from a second to a bound that doubles with each failure, so that a thousand terminals do not
/// come back at once.
fn pause(failures: u32, entropy: [u8; 16]) -> Duration {
    let (least, most) = PAUSE;
    let bound =
        least.saturating_mul(1_u64.checked_shl(failures.saturating_add(1).min(16)).unwrap_or(u64::MAX)).min(most);
    let [a, b, c, d, ..] = entropy;
    let spread = bound.saturating_sub(least).saturating_add(1);
    let drawn = u64::from(u32::from_be_bytes([a, b, c, d])).checked_rem(spread).unwrap_or(0);
    Duration::from_millis(least.saturating_add(drawn))
}

/// Serves one connection until it is gone. `heard` becomes true with the first message.
async fn serve<S>(mut socket: WebSocketStream<S>, events: &mpsc::Sender<Event>, heard: &mut bool) -> Gone
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (sender, mut outgoing) = mpsc::channel(WAITING);
    if events.send(Event::Up(sender)).await.is_err() {
        return Gone::Stopped;
    }
    let mut ping = interval_at(later(PING), PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent_at = later(DEAD);
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => message,
                // The driver gave this line up.
                None => return Gone::Silent,
            },
            _ = ping.tick() => ToPlatform::Ping,
            () = tokio::time::sleep_until(silent_at) => return Gone::Silent,
            frame = socket.next() => match hear(frame) {
                Err(gone) => return gone,
                Ok(said) => {
                    silent_at = later(DEAD);
                    if let Some(message) = said {
                        *heard = true;
                        if events.send(Event::Heard(message)).await.is_err() {
                            return Gone::Stopped;
                        }
                    }
                    continue;
                }
            },
        };
        if let Err(gone) = say(&mut socket, &message).await {
            return gone;
        }
    }
}

fn later(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(span).unwrap_or(now)
}

/// What a frame says; `None` for one that only shows that the platform lives.
fn hear(frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Result<Option<ToTerminal>, Gone> {
    match frame {
        None => Err(Gone::Closed),
        Some(Err(fault)) => Err(fault.into()),
        Some(Ok(Message::Binary(bytes))) => Ok(Some(link::decode(&bytes)?)),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Close(_))) => Err(Gone::Closed),
        Some(Ok(Message::Text(_) | Message::Frame(_))) => Err(Gone::Text),
    }
}

async fn say<S>(socket: &mut WebSocketStream<S>, message: &ToPlatform) -> Result<(), Gone>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let bytes = link::encode(message)?;
    match timeout(DEAD, socket.send(Message::Binary(bytes.into()))).await {
        Err(_) => Err(Gone::Silent),
        Ok(sent) => Ok(sent?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_stays_between_a_second_and_a_minute_and_grows() {
        for failures in 0..100 {
            for byte in [0, 0x7F, 0xFF] {
                let drawn = pause(failures, [byte; 16]);
                assert!((Duration::from_secs(1)..=Duration::from_secs(60)).contains(&drawn), "{failures} {drawn:?}");
            }
        }
        assert_eq!(pause(50, [0; 16]), Duration::from_secs(1), "even after many failures a short pause can be drawn");
        let far = |failures| (0..=255).map(|byte| pause(failures, [byte; 16])).max().expect("some");
        assert!(far(0) < far(3) && far(3) < far(6));
    }
}
