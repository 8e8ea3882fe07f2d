//! `onecard card --vpcd`: a software card on a virtual reader of PC/SC, until it is taken away.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use card::chip::Chip;
use card::tear::CutPlace;
use device::channel::{Left, Manner, Pull, PullAt, VirtualReader};
use flows::ports::Entropy;
use keys::SystemEntropy;

use crate::prompt::Said;
use crate::serve::stop_asked;
use crate::{Failure, issue};

/// Options and subcommands of `onecard card`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Options {
    #[command(subcommand)]
    command: Option<issue::Command>,
    #[command(flatten)]
    put: Option<Put>,
}

/// A card that lies on a virtual reader.
#[derive(clap::Args)]
struct Put {
    /// Puts a software card on the virtual reader whose driver listens at HOST:PORT; Ctrl-C takes it away.
    #[arg(long, value_name = "HOST:PORT", value_parser = address, required = false)]
    vpcd: SocketAddr,
    /// File of the card: what the card answers is kept there before.
    #[arg(long, value_name = "FILE", required = false)]
    state: PathBuf,
    /// The card speaks T=0, as a card with contacts does.
    #[arg(long)]
    contact: bool,
    /// The card is torn away within a command: the one that adds money or the one that takes it, before or after the card
    /// has obeyed it.
    #[arg(long, value_name = "WHEN")]
    leaves: Option<Leaves>,
}

/// When a card is torn away.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Leaves {
    CreditUndone,
    CreditDone,
    DebitUndone,
    DebitDone,
}

impl Leaves {
    fn pull(self) -> Pull {
        match self {
            Leaves::CreditUndone => Pull::During(PullAt::Credit, CutPlace::BeforeApply),
            Leaves::CreditDone => Pull::During(PullAt::Credit, CutPlace::BeforeAnswer),
            Leaves::DebitUndone => Pull::During(PullAt::Debit, CutPlace::BeforeApply),
            Leaves::DebitDone => Pull::During(PullAt::Debit, CutPlace::BeforeAnswer),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = |why: String| format!("{why}; write HOST:PORT, such as 127.0.0.1:35963");
    let mut found = text.to_socket_addrs().map_err(|fault| wrong(fault.to_string()))?;
    found.next().ok_or_else(|| wrong("this host has no address".to_owned()))
}

/// Runs the subcommand, or lies there until the card leaves.
pub fn run(options: Options) -> Result<(), Failure> {
    match (options.command, options.put) {
        (Some(command), _) => issue::run(command),
        (None, Some(put)) => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(lie(put)),
        (None, None) => Err(Said("name a subcommand, or --vpcd and --state".to_owned()).into()),
    }
}

async fn lie(put: Put) -> Result<(), Failure> {
    let Put { vpcd, state, contact, leaves } = put;
    let manner = if contact { Manner::Contact } else { Manner::Contactless };
    let hand = VirtualReader::new(vpcd, manner, || {
        let mut bytes = [0; 4];
        SystemEntropy.fill(&mut bytes);
        bytes
    });
    if let Some(leaves) = leaves {
        hand.pull(leaves.pull());
    }
    hand.put(&state, None)?;
    println!("the card of {} lies on the reader at {vpcd}; Ctrl-C takes it away", state.display());

    let watched = hand.clone();
    let mut left = tokio::task::spawn_blocking(move || watched.wait());
    let how = tokio::select! {
        how = &mut left => how?,
        () = stop_asked() => {
            hand.pull(Pull::Now);
            left.await?
        }
    };
    if how == Left::ReaderGone {
        return Err(
            Said(format!("the reader at {vpcd} is gone: start pcscd again, then put the card there again")).into()
        );
    }
    let chip = Chip::from_bytes(&std::fs::read(&state)?)?;
    let held = card::session::fen(chip.balance());
    println!(
        "the card has left; its purse holds {held}, after {} loads and {} purchases",
        chip.loads(),
        chip.purchases()
    );
    Ok(())
}
