//! `onecard api-client`: programs of the school that may ask for its events.

use flows::credential::{self, Listed};
use ledger::Id;
use rules::credential::{LIVES, Life, Scope, Subject, Wish};

use crate::prompt::{Refused, minute};
use crate::{Failure, Place, issue};

/// Subcommands of `onecard api-client`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Makes an access token for a program of the school and shows it, once; the server must not be running.
    Add {
        #[command(flatten)]
        place: Place,
        /// What the program is called, such as data centre.
        #[arg(long)]
        name: String,
        /// What it may do.
        #[arg(long, value_name = "SCOPE", value_delimiter = ',', default_value = "events:read", value_parser = scope)]
        scopes: Vec<Scope>,
        /// For how many days: 30, 90 or 365.
        #[arg(long, default_value_t = 365, value_parser = days)]
        days: u32,
    },
    /// Prints the tokens of the school's programs with their numbers; the server must not be running.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Ends a token at once; the server must not be running.
    Revoke {
        #[command(flatten)]
        place: Place,
        /// Its number, as `list` prints it.
        #[arg(value_parser = number)]
        number: Id,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    let possible = Scope::SCHOOL.map(Scope::word).join(", ");
    let scope = Scope::from_word(text).filter(|scope| Scope::SCHOOL.contains(scope));
    scope.ok_or_else(|| format!("a program of the school may have {possible}"))
}

fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| LIVES.contains(days));
    days.ok_or_else(|| "a token lives for 30, 90 or 365 days".to_owned())
}

fn number(text: &str) -> Result<Id, String> {
    Id::parse(text).map_err(|_| "the number has 32 hexadecimal digits, as `list` prints them".to_owned())
}

/// Runs the subcommand.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { place, name, scopes, days } => issue::with_school(&place, async |school| {
            let secret = school.random();
            let wish = Wish { subject: Subject::School, name, scopes, days };
            let made = credential::make(&school, wish, &secret).await;
            let made = made.map_err(|refusal| Refused::from(refusal.words()))?;
            println!("{}", told(&made));
            println!("this is its token; it is not shown again:");
            println!("{}", rules::credential::text(&secret));
            Ok(())
        }),
        Command::List { place } => issue::with_school(&place, async |school| {
            let listed = credential::list(&school, Subject::School).await?;
            listed.iter().for_each(|each| println!("{}", told(each)));
            let live = listed.iter().filter(|each| each.life == Life::Live).count();
            println!("{live} live token(s)");
            Ok(())
        }),
        Command::Revoke { place, number } => issue::with_school(&place, async |school| {
            let revoked = credential::revoke(&school, Subject::School, number).await;
            revoked.map_err(|refusal| Refused::from(refusal.words()))?;
            println!("token {number} is ended");
            Ok(())
        }),
    }
}

fn told(listed: &Listed) -> String {
    let token = &listed.credential;
    let state = match listed.life {
        Life::Live => format!("until {}", minute(token.expires_at)),
        Life::Revoked => "revoked".to_owned(),
        Life::Expired => format!("expired {}", minute(token.expires_at)),
        Life::PasswordChanged => "ended".to_owned(),
        Life::Restored => "ended by a restore: make a new one".to_owned(),
    };
    let scopes = token.scopes.iter().map(|scope| scope.word()).collect::<Vec<&str>>().join(",");
    let used = token.used_at.map_or("never used".to_owned(), |at| format!("used {}", minute(at)));
    format!("{}  {}  {scopes}  {state}  {used}", listed.number, token.name)
}
