//! `onecard terminal`: enrols a terminal, or runs one.

use std::fs;
use std::path::{Path, PathBuf};

use card::psam::SoftPsam;
use device::journal_file::JournalFile;
use device::uplink::{Identity, PosHandle, PosSetup, Reader, Server, run_pos};
use flows::School;
use flows::ports::Entropy;
use flows::terminal::NewTerminal;
use keys::{Keyring, SystemEntropy};
use rules::ids::TerminalNo;

use crate::prompt::{Refused, Said, start_log};
use crate::tls::{Authority, fingerprint_of_pem, write_secret};
use crate::{Failure, Place, card_reader, config, issue, terminal_screen};

/// Subcommands of `onecard terminal`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Makes the identity of a terminal and enrols it; the server must not be running.
    Enrol {
        /// The configuration of the platform.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Number of the terminal, 6 hexadecimal digits.
        #[arg(long, value_parser = number)]
        number: TerminalNo,
        /// Short name of the merchant that sells there.
        #[arg(long)]
        merchant: String,
        /// Where it stands, in Chinese.
        #[arg(long)]
        place_zh: String,
        /// Where it stands, in English.
        #[arg(long)]
        place_en: String,
        /// Folder for its identity, to be carried to the terminal.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Runs a POS terminal with a screen of text.
    Pos {
        /// Address of the platform's terminal listener: wss://host:port/link/v1.
        #[arg(long, value_name = "URL")]
        server: String,
        /// Folder of its identity; its journal is kept there too.
        #[arg(long, value_name = "DIR")]
        identity: PathBuf,
        /// The card reader: `soft` for software cards, or `pcsc:NAME` for the reader of PC/SC whose name is NAME or, of all
        /// that are there, alone begins so.
        #[arg(long, value_name = "soft|pcsc:NAME", value_parser = card_reader::wish)]
        reader: card_reader::Wish,
        /// How the screen is shown.
        #[command(flatten)]
        screen: terminal_screen::Options,
    },
}

fn number(text: &str) -> Result<TerminalNo, String> {
    let digits = text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let value = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
    let [_, a, b, c] = value.ok_or("a terminal number has 6 hexadecimal digits, such as 000001")?.to_be_bytes();
    Ok(TerminalNo([a, b, c]))
}

/// Runs the subcommand.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Enrol { config: path, number, merchant, place_zh, place_en, out } => {
            let config = config::read(&path)?;
            let authority = Authority::open(&config.data.join("terminals"))?;
            let place = Place { data: None, config: Some(path) };
            let keyring = issue::keyring_of(&place)?;
            issue::with_school(&place, async |school| {
                let certificate = identity(&out, &authority, &keyring, number)?;
                let new = NewTerminal { terminal: number, merchant, place_zh, place_en, certificate };
                enrol(&school, new).await?;
                println!("terminal {number} is enrolled; carry {} to it and run", out.display());
                println!(
                    "  onecard terminal pos --server wss://{}:{}/link/v1 --identity {} --reader soft",
                    config.terminals.host,
                    config.terminals.listen.port(),
                    out.display()
                );
                Ok(())
            })
        }
        Command::Pos { server: url, identity, reader, screen } => {
            start_log("error");
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async {
                let (handle, life) = ready(&identity, server(&url)?, card_reader::open(&reader)?)?;
                terminal_screen::run(handle, life, screen).await
            })
        }
    }
}

/// Files of a terminal's identity.
pub mod files {
    /// Its certificate.
    pub const CERTIFICATE: &str = "certificate.pem";
    /// Its private key.
    pub const KEY: &str = "key.pem";
    /// What it checks the platform with.
    pub const PLATFORM_CA: &str = "platform-ca.pem";
    /// Its purchase module, in software.
    pub const PSAM: &str = "psam.bin";
    /// What it must not lose.
    pub const JOURNAL: &str = "journal";
}

/// Makes the identity of a terminal in `folder`; one that is there stays. Gives the certificate's fingerprint.
pub fn identity(
    folder: &Path,
    authority: &Authority,
    keyring: &Keyring,
    number: TerminalNo,
) -> Result<[u8; 32], Failure> {
    let certificate = folder.join(files::CERTIFICATE);
    if !certificate.exists() {
        fs::create_dir_all(folder)?;
        let fresh = authority.terminal(&format!("POS {number}"))?;
        let masters = keyring.card_masters().iter().map(|(version, masters)| (*version, masters.purchase.clone()));
        let mut module = SoftPsam::new(number.with([0; 3]), masters.collect());
        if let Some(sm4) = keyring.sm4_masters() {
            let masters = sm4.cards.iter().map(|(version, masters)| (*version, masters.purchase.clone()));
            module = module.with_sm4(sm4.form, masters.collect());
        }
        write_secret(&folder.join(files::KEY), fresh.key.as_bytes())?;
        write_secret(&folder.join(files::PSAM), &module.to_bytes())?;
        fs::write(folder.join(files::PLATFORM_CA), authority.certificate())?;
        fs::write(&certificate, &fresh.certificate)?;
    }
    fingerprint_of_pem(&fs::read_to_string(&certificate)?)
}

/// Enrols.
pub async fn enrol(school: &School, new: NewTerminal) -> Result<(), Failure> {
    flows::terminal::enrol(school, new).await.map_err(Refused::from)?;
    Ok(())
}

/// Makes a terminal ready from the files of its identity; its journal is kept beside them.
pub fn ready(
    folder: &Path,
    server: Server,
    reader: Reader,
) -> Result<(PosHandle, impl Future<Output = ()> + Send + 'static), Failure> {
    let text = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|fault| {
            Said(format!("{}: {fault}; make the identity with `onecard terminal enrol`", path.display()))
        })
    };
    let identity = Identity {
        certificate: text(files::CERTIFICATE)?,
        key: text(files::KEY)?,
        authority: text(files::PLATFORM_CA)?,
    };
    let journal = JournalFile::open(&folder.join(files::JOURNAL))?;
    let mut module = SoftPsam::from_bytes(&fs::read(folder.join(files::PSAM))?)?;
    if let Some(tsn) = journal.state().last_tsn() {
        module.used(tsn);
    }
    let entropy = || {
        let mut bytes = [0; 16];
        SystemEntropy.fill(&mut bytes);
        bytes
    };
    Ok(run_pos(PosSetup { server, identity, reader, journal, module, entropy: Box::new(entropy) })?)
}

/// The address of a platform's terminal listener.
fn server(url: &str) -> Result<Server, Said> {
    let wrong = || Said(format!("--server is {url}: write wss://host:port/link/v1"));
    let rest = url.strip_prefix("wss://").ok_or_else(wrong)?;
    let address = rest.strip_suffix("/link/v1").unwrap_or(rest).trim_end_matches('/');
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    Ok(Server { host: host.trim_matches(['[', ']']).to_owned(), port })
}
