//! `onecard wechat`: bills, the official account's menu, and the end of a holder's binding at the counter.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use pay::wechat::account::Menu;
use pay::wechat::bills::{Bill, BillDay, FundAccount, Row, Take, Totals};

use crate::clock::SteadyClock;
use crate::config;
use crate::issue;
use crate::prompt::{Refused, Said, start_log};
use crate::serve::channel;
use crate::{Failure, Place};

/// Subcommands of `onecard wechat`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Downloads WeChat's bill of a day, proves it (hash, form, sums) and writes it as it is.
    ///
    /// The bill of a day is ready at 10:00 of the next day and can be had for three months. The file is written under its
    /// name only when the whole bill was proved. Exit code 1: there is no such bill, or it is not to be believed.
    Bill(BillOptions),
    /// Puts the campus card's menu into the official account: 校园卡, and below it 卡片充值, which opens the top-up page.
    ///
    /// It takes the place of the menu that is there. Followers see it within a day.
    Menu {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Page that the menu opens; the top-up page below web.base_url when it is not named.
        #[arg(long, value_name = "ADDRESS")]
        url: Option<String>,
    },
    /// Ends the binding of a holder's WeChat user, for a holder who showed the identity document at the counter.
    ///
    /// Whoever came in by it is signed out. The server must not be running on the folder.
    Unbind {
        #[command(flatten)]
        place: Place,
        /// Student or staff number of the holder.
        #[arg(long)]
        number: String,
        /// Who at the counter looked at the document; it stands in the book.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

/// Options of `onecard wechat bill`.
#[derive(clap::Args)]
pub struct BillOptions {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Day of the bill in Beijing time, such as 2026-11-23.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = BillDay::parse)]
    date: BillDay,
    /// Which bill.
    #[arg(long = "type", value_name = "TYPE", default_value = "all")]
    kind: Kind,
    /// The file to write, a CSV; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which bill.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Payments and refunds.
    All,
    /// Payments alone.
    Success,
    /// Refunds alone, with the times of request and success.
    Refund,
    /// Every movement of the merchant's account with WeChat; fees are rows of their own.
    FundFlow,
}

/// Runs a subcommand.
pub fn run(command: Command) -> Result<(), Failure> {
    start_log("warn");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match command {
        Command::Bill(options) => runtime()?.block_on(bill(options)),
        Command::Menu { config, url } => runtime()?.block_on(menu(&config, url)),
        Command::Unbind { place, number, by } => unbind(&place, &number, &by),
    }
}

fn unbind(place: &Place, number: &str, by: &str) -> Result<(), Failure> {
    issue::with_school(place, async |school| {
        let person = flows::people::find_by_number(&school, number).await?;
        let person = person.ok_or_else(|| Said(format!("there is no holder {number}")))?;
        let ended = flows::binding::unbind_at_counter(&school, person, by).await;
        match ended.map_err(|why| Refused::from(why.words()))? {
            true => println!("the WeChat user of {number} is bound no more; whoever came in by it is signed out"),
            false => println!("no WeChat user is bound to {number}; nothing was changed"),
        }
        Ok(())
    })
}

async fn menu(path: &Path, url: Option<String>) -> Result<(), Failure> {
    let config = config::read(path)?;
    let url = url.unwrap_or_else(|| format!("{}/me/topup", config.web.base_url));
    let menu = Menu::campus_card(&url).map_err(|fault| Said(format!("{url}: {fault}")))?;
    let wechat = channel(&config, Arc::new(SteadyClock::new()))?;
    wechat.account().create_menu(&menu).await?;
    println!("the official account {} has the menu 校园卡 > 卡片充值, which opens {url}", config.wechat.appid);
    Ok(())
}

async fn bill(options: BillOptions) -> Result<(), Failure> {
    let BillOptions { config, date, kind, out } = options;
    let config = config::read(&config)?;
    if out.exists() {
        return Err(Said(format!("{} is there already; choose another name with --out", out.display())).into());
    }
    let wechat = channel(&config, Arc::new(SteadyClock::new()))?;
    let kind = match kind {
        Kind::All => Bill::All,
        Kind::Success => Bill::Success,
        Kind::Refund => Bill::Refund,
        Kind::FundFlow => Bill::FundFlow(FundAccount::Basic),
    };
    let mut keeping = Keeping::start(&out)?;
    let totals = wechat.bill(kind, date, &mut keeping).await?;
    keeping.end(&out)?;
    println!("wrote {}: the bill of {date} is proved, hash, form and sums", out.display());
    for (name, value) in lines(&totals) {
        println!("  {name:<24} {value:>16}");
    }
    Ok(())
}

fn lines(totals: &Totals) -> Vec<(&'static str, String)> {
    match *totals {
        Totals::Trade { count, settled, refunded, coupons_refunded, fees, ordered, refunds_asked } => vec![
            ("rows", count.to_string()),
            ("ordered", ordered.to_string()),
            ("to be settled", settled.to_string()),
            ("refunds asked for", refunds_asked.to_string()),
            ("refunded", refunded.to_string()),
            ("vouchers refunded", coupons_refunded.to_string()),
            ("fees", fees.to_string()),
        ],
        Totals::FundFlow { count, income_count, income, spending_count, spending } => vec![
            ("rows", count.to_string()),
            ("rows of income", income_count.to_string()),
            ("income", income.to_string()),
            ("rows of spending", spending_count.to_string()),
            ("spending", spending.to_string()),
        ],
    }
}

/// Writes a bill beside its name while it comes. What was not ended is removed.
struct Keeping {
    unfinished: PathBuf,
    file: BufWriter<File>,
    rows: ProgressBar,
}

impl Keeping {
    fn start(out: &Path) -> Result<Keeping, Failure> {
        let mut name = out.file_name().ok_or_else(|| Said(format!("{} names no file", out.display())))?.to_owned();
        name.push(".unfinished");
        let unfinished = out.with_file_name(name);
        let file = File::create(&unfinished)
            .map_err(|fault| Said(format!("cannot write {}: {fault}", unfinished.display())))?;
        let rows = if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        rows.set_style(ProgressStyle::with_template("{spinner} {pos} rows")?);
        Ok(Keeping { unfinished, file: BufWriter::new(file), rows })
    }

    /// Gives the file its name, once every byte of it is on disk.
    fn end(mut self, out: &Path) -> Result<(), Failure> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        self.rows.finish_and_clear();
        fs::rename(&self.unfinished, out)?;
        Ok(())
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        // After `end` it is not there any more.
        let _ = fs::remove_file(&self.unfinished);
    }
}

impl Take for Keeping {
    fn text(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)
    }

    fn row(&mut self, _: Row) -> io::Result<()> {
        self.rows.inc(1);
        Ok(())
    }
}
