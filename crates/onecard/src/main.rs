//! The onecard binary: command line, configuration, wiring. It holds no business rule.

mod anchors;
mod api_client;
mod backup;
mod bench;
mod campus;
mod card_office;
mod card_reader;
mod cases;
mod clock;
mod config;
mod confirmation;
mod courier;
mod demo;
mod doctor;
mod engine;
mod guide_command;
mod import;
mod issue;
mod listen;
mod past;
mod prompt;
mod reports;
mod sandbox_command;
mod serve;
mod settings;
mod terminal;
mod terminal_screen;
mod tls;
mod verify;
mod virtual_card;
mod webhook_command;
mod webhooks;
mod wechat_command;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An open-source campus one-card platform: money that is paid reaches the card, exactly once.
#[derive(Parser)]
#[command(name = "onecard", version, about, propagate_version = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a complete school on this machine to try everything out: people, cards, terminals, a payment provider.
    Demo(demo::Options),
    /// Runs the platform for a school.
    Serve(serve::Options),
    /// Runs the payment provider's simulator alone.
    Sandbox(sandbox_command::Options),
    /// Terminals: enrol one, or run one.
    Terminal {
        #[command(subcommand)]
        command: terminal::Command,
    },
    /// Cards: make, hand out, block, and list them for a printer; or put a software card on a virtual reader.
    Card(virtual_card::Options),
    /// Reads a roster or a list of merchants into the book.
    Import(import::Options),
    /// Shows and changes business rules, with their history.
    Settings {
        #[command(subcommand)]
        command: settings::Command,
    },
    /// Prints the guide for holders from the settings in force, or writes it to a file.
    Guide(guide_command::Options),
    /// Gives a payment back the way it came: of an order that no card has taken, or of a case. The server must not be running.
    Refund(cases::RefundOptions),
    /// Lists what a person in charge must look at, with age, owner and amount.
    Cases(cases::ListOptions),
    /// Reports from the book: the trial balance of a month.
    Report {
        #[command(subcommand)]
        command: reports::Command,
    },
    /// WeChat: bills, the official account's menu, and the end of a holder's binding.
    Wechat {
        #[command(subcommand)]
        command: wechat_command::Command,
    },
    /// Systems of the school that are told of events: add, list, test, tell again, remove.
    Webhook {
        #[command(subcommand)]
        command: webhook_command::Command,
    },
    /// Access tokens for programs of the school, which ask for its events.
    ApiClient {
        #[command(subcommand)]
        command: api_client::Command,
    },
    /// Checks the whole book: every row, every sum, every link of the chain.
    Verify(verify::Options),
    /// Measures how fast the platform is on this machine, against other engines on the same disk.
    Bench {
        #[command(subcommand)]
        command: bench::Command,
    },
    /// Looks at clock, disk, permissions, keys, versions, anchors and backups, and says what to fix.
    Doctor(doctor::Options),
    /// Copies the book and what it takes to run it again, also beside a running server, and verifies the copy.
    Backup(backup::Options),
    /// Brings a backup back into an empty folder; the book goes on from there in a new epoch.
    Restore(backup::RestoreOptions),
}

/// Where the data is: a folder, or the configuration that names it.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What a command ends with when it cannot do its work: a sentence that says what to do.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    // Fails only when a provider is installed already, and then that one is used.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = match Line::parse().command {
        Command::Demo(options) => demo::run(options),
        Command::Serve(options) => serve::run(options),
        Command::Sandbox(options) => sandbox_command::run(options),
        Command::Terminal { command } => terminal::run(command),
        Command::Card(options) => virtual_card::run(options),
        Command::Import(options) => import::run(options),
        Command::Settings { command } => settings::run(command),
        Command::Guide(options) => guide_command::run(options),
        Command::Refund(options) => cases::refund(options),
        Command::Cases(options) => cases::print(&options),
        Command::Report { command } => reports::run(command),
        Command::Wechat { command } => wechat_command::run(command),
        Command::Webhook { command } => webhook_command::run(command),
        Command::ApiClient { command } => api_client::run(command),
        Command::Verify(options) => verify::run(options),
        Command::Bench { command } => bench::run(command),
        Command::Doctor(options) => doctor::run(options),
        Command::Backup(options) => backup::run(options),
        Command::Restore(options) => backup::restore(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("onecard: {}", prompt::sentence(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}
