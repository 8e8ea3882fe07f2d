//! `onecard terminal`: enrols a terminal, or runs one.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use card::psam::SoftPsam;
use device::agent::display::{Lamp, Screen};
use device::agent::words;
use device::channel::{Pull, SoftReader};
use device::journal_file::JournalFile;
use device::uplink::{Identity, PosHandle, PosSetup, Reader, Server, run_pos};
use flows::School;
use flows::ports::Entropy;
use flows::terminal::NewTerminal;
use keys::{Keyring, SystemEntropy};
use ledger::Fen;
use rules::ids::TerminalNo;

use crate::prompt::{Refused, Said, start_log};
use crate::tls::{Authority, fingerprint_of_pem, write_secret};
use crate::{Failure, Place, config, issue};

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
        /// The card reader: `soft` for software cards.
        #[arg(long, value_parser = ["soft"])]
        reader: String,
    },
}

fn number(text: &str) -> Result<TerminalNo, String> {
    let value = (text.len() == 6).then(|| u32::from_str_radix(text, 16).ok()).flatten();
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
        Command::Pos { server, identity, reader: _ } => {
            start_log("warn");
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(pos(&server, &identity))
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
pub fn ready(folder: &Path, server: Server) -> Result<(PosHandle, impl Future<Output = ()> + Send + 'static), Failure> {
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
    let random = || {
        let mut bytes = [0; 4];
        SystemEntropy.fill(&mut bytes);
        bytes
    };
    let entropy = || {
        let mut bytes = [0; 16];
        SystemEntropy.fill(&mut bytes);
        bytes
    };
    Ok(run_pos(PosSetup {
        server,
        identity,
        reader: Reader::Soft(SoftReader::new(random)),
        journal,
        module,
        entropy: Box::new(entropy),
    })?)
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

const HELP: &str = "\
  12.50        the clerk enters an amount
  card FILE    hold a software card
  pull         take it away
  cancel       call the sale off
  quit         switch the terminal off";

async fn pos(url: &str, folder: &Path) -> Result<(), Failure> {
    let (handle, life) = ready(folder, server(url)?)?;
    println!("{HELP}");
    let mut screens = handle.screens();
    let (lines, mut typed) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let life = tokio::spawn(life);
    show(&handle.screen());
    loop {
        tokio::select! {
            changed = screens.changed() => match changed {
                Ok(()) => show(&screens.borrow_and_update()),
                Err(_) => break,
            },
            line = typed.recv() => match line {
                Some(line) if line.trim() != "quit" => obey(&handle, line.trim()),
                Some(_) | None => {
                    handle.stop();
                    break;
                }
            },
        }
    }
    Ok(life.await?)
}

fn show(screen: &Screen) {
    let text = words::display(screen);
    let lamp = match screen.lamp() {
        Lamp::Off => " ",
        Lamp::Green => "G",
        Lamp::Amber => "A",
        Lamp::Red => "R",
    };
    println!("--- [{lamp}]");
    for (zh, en) in text.zh.lines().zip(text.en.lines().chain(std::iter::repeat(""))) {
        println!("    {zh}    {en}");
    }
    if io::stdout().is_terminal() {
        print!("> ");
        let _ = io::stdout().flush();
    }
}

fn obey(handle: &PosHandle, line: &str) {
    match line.split_once(' ') {
        _ if line.is_empty() => {}
        _ if line == "pull" => handle.pull_card(Pull::Now),
        _ if line == "cancel" => handle.cancel(),
        Some(("card", file)) => {
            if let Err(fault) = handle.put_card(Path::new(file.trim())) {
                println!("{fault}");
            }
        }
        _ => match Fen::parse_yuan(line) {
            Ok(amount) => handle.enter_sale(amount),
            Err(_) => println!("{HELP}"),
        },
    }
}
