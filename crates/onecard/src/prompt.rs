//! What the command line says to a person.

use std::error::Error;
use std::io::IsTerminal;

use ledger::Micros;
use rules::calendar::campus_time;
use rules::words::Words;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// An error and its causes in one line.
pub fn sentence(failure: &dyn Error) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

/// A refusal of the platform, for the command line.
#[derive(Debug, thiserror::Error)]
#[error("{en} ({code}) {zh}")]
pub struct Refused {
    code: &'static str,
    zh: String,
    en: String,
}

impl From<Words> for Refused {
    fn from(words: Words) -> Refused {
        Refused { code: words.code, zh: words.zh, en: words.en }
    }
}

/// A sentence as an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub String);

/// Sends log lines to standard error; `ONECARD_LOG` chooses them (`info` when it is not set).
pub fn start_log(default: &str) {
    start_log_to(default, std::io::stderr().is_terminal(), std::io::stderr);
}

/// The same, to another place.
pub fn start_log_to<W>(default: &str, coloured: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().with_env_var("ONECARD_LOG").try_from_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured).with_writer(writer);
    // Fails only when a log was started before, and then that one is used.
    let _ = log.try_init();
}

/// A moment in campus time, to the minute.
pub fn minute(at: Micros) -> String {
    let time = campus_time(at);
    format!("{:04}-{:02}-{:02} {:02}:{:02}", time.year, time.month, time.day, time.hour, time.minute)
}
