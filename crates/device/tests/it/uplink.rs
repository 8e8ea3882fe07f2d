//! A whole terminal: agent, reader, journal on disk, and its WebSocket over mutual TLS to a platform in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use card::tear::CutPlace;
use device::agent::display::{Screen, Source};
use device::agent::pos::Key;
use device::channel::{Pull, PullAt, SoftReader, store_card};
use device::journal_file::JournalFile;
use device::uplink::{Event, Identity, PosHandle, PosSetup, PutFault, Reader, Server, StartFault, Told, run_pos};
use futures_util::{SinkExt, StreamExt};
use ledger::Micros;
use link::{ToPlatform, decode, encode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use crate::folder::fresh;
use crate::platform::{Holder, Platform};
use crate::world::{ANNA, fen, masters, module, new_chip, sm4_masters};

const PATIENCE: Duration = Duration::from_secs(20);

struct Authority {
    pem: String,
    key: KeyPair,
    params: CertificateParams,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).expect("signs itself").pem();
        Authority { pem, key, params }
    }

    /// Certificate and key, PEM.
    fn sign(&self, hosts: Vec<String>) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = CertificateParams::new(hosts).expect("names").signed_by(&key, &issuer).expect("signs");
        (certificate.pem(), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM")).expect("a root");
        roots
    }

    fn acceptor(&self) -> TlsAcceptor {
        let (certificate, key) = self.sign(vec!["127.0.0.1".into()]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(verifier.build().expect("roots"))
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
            )
            .expect("a pair");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Serves connections one after the other; a connection ends when the platform wants it to.
struct Host {
    port: u16,
    platform: Arc<Mutex<Platform>>,
    /// Messages to serve in the next connection before it is closed.
    hang_up_after: Arc<Mutex<Option<usize>>>,
    task: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn host(authority: &Authority) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let mut book = Platform::new(masters(), sm4_masters());
    book.holders.insert(ANNA, Holder::default());
    let platform = Arc::new(Mutex::new(book));
    let hang_up_after = Arc::new(Mutex::new(None));
    let (acceptor, served, hang_up) = (authority.acceptor(), Arc::clone(&platform), Arc::clone(&hang_up_after));
    let task = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.expect("accepts");
            let Ok(tls) = acceptor.accept(tcp).await else { continue };
            let Ok(mut socket) = accept_async(tls).await else { continue };
            let mut left = hang_up.lock().expect("not poisoned").take();
            while let Some(Ok(frame)) = socket.next().await {
                let Message::Binary(bytes) = frame else { continue };
                let message = decode::<ToPlatform>(&bytes).expect("a message");
                let answers = {
                    let mut platform = served.lock().expect("not poisoned");
                    platform.hear(message, clock())
                };
                left = left.map(|left| left - 1);
                if left == Some(0) {
                    break;
                }
                for answer in answers {
                    let bytes = encode(&answer).expect("fits");
                    if socket.send(Message::Binary(bytes.into())).await.is_err() {
                        break;
                    }
                }
            }
        }
    });
    Host { port, platform, hang_up_after, task }
}

/// The platform's clock; requests of these tests never expire.
fn clock() -> Micros {
    Micros::new(1_795_400_000_000_000)
}

fn identity(authority: &Authority, trusted: &Authority) -> Identity {
    let (certificate, key) = authority.sign(vec!["till".into()]);
    Identity { certificate, key, authority: trusted.pem.clone() }
}

struct Till {
    handle: PosHandle,
    life: JoinHandle<()>,
}

impl Till {
    fn start(folder: &Path, port: u16, identity: Identity) -> Till {
        let journal = JournalFile::open(&folder.join("journal")).expect("a journal");
        let module = module(journal.state().last_tsn());
        let mut throw = 0_u32;
        let reader = SoftReader::new(move || {
            throw = throw.wrapping_add(0x9E37_79B9);
            throw.to_be_bytes()
        });
        let setup = PosSetup {
            server: Server { host: "127.0.0.1".into(), port },
            identity,
            reader: Reader::Soft(reader),
            journal,
            module,
            entropy: Box::new(|| [0; 16]),
        };
        let (handle, life) = run_pos(setup).expect("starts");
        Till { handle, life: tokio::spawn(life) }
    }

    async fn shows(&self, what: &str, expected: impl FnMut(&Screen) -> bool) -> Screen {
        let mut screens = self.handle.screens();
        let shown = tokio::time::timeout(PATIENCE, screens.wait_for(expected)).await;
        shown.unwrap_or_else(|_| panic!("{what} is not shown, but {:?}", self.handle.screen())).expect("alive").clone()
    }

    async fn stop(self) {
        self.handle.stop();
        self.life.await.expect("ends by itself");
    }
}

fn card_file(folder: &Path) -> PathBuf {
    let file = folder.join("anna.card");
    store_card(&file, &new_chip(ANNA)).expect("can be written");
    file
}

#[tokio::test]
async fn a_whole_terminal_loads_sells_survives_a_pulled_card_and_a_broken_line() {
    let folder = fresh("uplink_whole");
    let authority = Authority::new();
    let host = host(&authority).await;
    host.platform.lock().expect("not poisoned").holders.get_mut(&ANNA).expect("known").waiting.push_back(5000);
    let card = card_file(&folder);
    let till = Till::start(&folder, host.port, identity(&authority, &authority));
    let mut events = till.handle.events();

    till.shows("idle", |screen| matches!(screen, Screen::Idle { place_en, .. } if place_en == "Canteen 1")).await;
    till.handle.put_card(&card).expect("lies there");
    till.shows("50.00 on the card", |screen| matches!(screen, Screen::Loaded { purse, .. } if *purse == fen(5000)))
        .await;
    till.handle.enter_sale(fen(1200));
    let paid = till.shows("paid", |screen| matches!(screen, Screen::Paid(_))).await;
    assert!(matches!(paid, Screen::Paid(paid) if paid.from == Source::Purse && paid.purse == fen(3800)));
    let (today, last) = till.handle.takings();
    assert_eq!((today.count, today.fen, last.map(|last| last.fen)), (1, 1200, Some(1200)));
    till.handle.pull_card(Pull::Now);
    assert_eq!(till.handle.card(), None);

    // Pulled away while it is debited: the same card settles it.
    till.handle.press(Key::Digit(3));
    till.handle.press(Key::Enter);
    till.shows("ready", |screen| matches!(screen, Screen::ReadyToPay { .. })).await;
    till.handle.pull_card(Pull::During(PullAt::Debit, CutPlace::BeforeAnswer));
    till.handle.put_card(&card).expect("lies there");
    till.shows("unresolved", |screen| matches!(screen, Screen::Unresolved { .. })).await;
    till.handle.put_card(&card).expect("comes back");
    till.shows("paid", |screen| matches!(screen, Screen::Paid(paid) if paid.purse == fen(3500))).await;
    till.handle.pull_card(Pull::Now);

    // The platform hangs up in mid-sale; the terminal comes back by itself and the sale is paid once.
    till.stop().await;
    let told: Vec<Event> = std::iter::from_fn(|| events.try_recv().ok()).map(|told| told.event).collect();
    let debits = told.iter().filter(|event| matches!(event, Event::Command(command) if command[1] == 0x54)).count();
    assert_eq!(debits, 2, "each debit was sent once");
    assert_eq!(told.iter().filter(|event| **event == Event::CardIn).count(), 3);
    assert!(told.iter().filter(|event| **event == Event::CardOut).count() >= 2, "the last one may be overtaken");
    *host.hang_up_after.lock().expect("not poisoned") = Some(3);
    let till = Till::start(&folder, host.port, identity(&authority, &authority));
    till.shows("the last sale", |screen| matches!(screen, Screen::Restarted { last_paid } if *last_paid == fen(300)))
        .await;
    till.handle.enter_sale(fen(500));
    till.shows("ready", |screen| matches!(screen, Screen::ReadyToPay { .. })).await;
    till.handle.put_card(&card).expect("lies there");
    till.shows("off line", |screen| matches!(screen, Screen::OfflineSale { .. })).await;
    till.handle.pull_card(Pull::Now);
    till.shows("ready again", |screen| matches!(screen, Screen::ReadyToPay { .. })).await;
    till.handle.put_card(&card).expect("lies there");
    till.shows("paid", |screen| matches!(screen, Screen::Paid(paid) if paid.purse == fen(3000))).await;
    till.stop().await;

    let platform = host.platform.lock().expect("not poisoned");
    assert_eq!((platform.merchant, platform.holders[&ANNA].on_card), (2000, 3000));
    assert!(platform.settled());
}

async fn refused(till: &Till) -> String {
    let mut events = till.handle.events();
    let why = async {
        loop {
            if let Ok(Told { event: Event::Disconnected(why), .. }) = events.recv().await {
                return why;
            }
        }
    };
    tokio::time::timeout(PATIENCE, why).await.expect("a refusal in time")
}

#[tokio::test]
async fn a_platform_of_another_authority_is_not_spoken_to() {
    let folder = fresh("uplink_wrong_platform");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let host = host(&theirs).await;
    let till = Till::start(&folder, host.port, identity(&theirs, &ours));
    let why = refused(&till).await;
    assert!(why.contains("certificate"), "{why}");
    till.shows("off line", |screen| *screen == Screen::Offline).await;
    assert!(host.platform.lock().expect("not poisoned").heard.is_empty());
    till.stop().await;
}

#[tokio::test]
async fn a_terminal_of_another_authority_is_not_let_in() {
    let folder = fresh("uplink_wrong_terminal");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let host = host(&ours).await;
    let till = Till::start(&folder, host.port, identity(&theirs, &ours));
    refused(&till).await;
    till.shows("off line", |screen| *screen == Screen::Offline).await;
    assert!(host.platform.lock().expect("not poisoned").heard.is_empty());
    till.stop().await;
}

#[tokio::test]
async fn a_terminal_that_cannot_start_says_what_is_wrong() {
    let folder = fresh("uplink_cannot_start");
    let authority = Authority::new();
    let good = identity(&authority, &authority);
    let table = [
        (Identity { certificate: "no PEM".into(), ..good.clone() }, "127.0.0.1", "certificate"),
        (Identity { key: String::new(), ..good.clone() }, "127.0.0.1", "private key"),
        (Identity { authority: String::new(), ..good.clone() }, "127.0.0.1", "authority"),
        (Identity { key: identity(&authority, &authority).key, ..good.clone() }, "127.0.0.1", "cannot be used"),
        (good, "https://school.example", "without a scheme"),
    ];
    for (identity, host, expected) in table {
        let journal = JournalFile::open(&folder.join("journal")).expect("a journal");
        let setup = PosSetup {
            server: Server { host: host.into(), port: 1 },
            identity,
            reader: Reader::Other(Box::new(SoftReader::new(|| [0; 4]))),
            journal,
            module: module(None),
            entropy: Box::new(|| [0; 16]),
        };
        let fault: StartFault = run_pos(setup).err().expect("cannot start");
        assert!(fault.to_string().contains(expected), "{fault}");
    }
}

#[tokio::test]
async fn a_reader_for_plastic_takes_no_software_card() {
    let folder = fresh("uplink_plastic");
    let authority = Authority::new();
    let setup = PosSetup {
        server: Server { host: "127.0.0.1".into(), port: 1 },
        identity: identity(&authority, &authority),
        reader: Reader::Other(Box::new(SoftReader::new(|| [0; 4]))),
        journal: JournalFile::open(&folder.join("journal")).expect("a journal"),
        module: module(None),
        entropy: Box::new(|| [0; 16]),
    };
    let (handle, life) = run_pos(setup).expect("starts");
    assert!(matches!(handle.put_card(&card_file(&folder)), Err(PutFault::NotSoft)));
    drop(handle);
    tokio::time::timeout(PATIENCE, life).await.expect("ends when no handle is left");
}
