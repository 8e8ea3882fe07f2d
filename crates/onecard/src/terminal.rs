//! `onecard terminal`: enrols a terminal, or runs one.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use card::psam::SoftPsam;
use device::channel::{Pull, SoftReader};
use flows::School;
use flows::terminal::NewTerminal;
use keys::Keyring;
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
        let module = SoftPsam::new(number.with([0; 3]), masters.collect());
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
