//! `onecard demo`: a complete school in one process, to try everything out. Everything in it is the real thing: the book,
//! the card cryptography, the terminals over mutual TLS, the provider's protocol against its simulator.

mod before;
mod pages;
mod people;
mod pos;
mod progress;
mod setup;
mod text;
mod tour;

pub use pages::web_config;
pub use people::roster;
pub use setup::{Folder, SCHOOL, first_people};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use flows::ports::Courier;

use crate::clock::SteadyClock;
use crate::config::WebhookPart;
use crate::courier::HttpCourier;
use crate::prompt::{Said, start_log};
use crate::serve::{loopback, stop_asked, teller_ended};
use crate::tls::Authority;
use crate::{Failure, engine, listen, reports, webhooks};

/// Options of `onecard demo`.
#[derive(clap::Args)]
pub struct Options {
    /// Folder of the school; made when it is not there, continued when it is.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// Port of the pages on this machine; 0 for a free one. Without it 8840, or a free one when that is taken.
    #[arg(long)]
    port: Option<u16>,
    /// How many people the school begins with.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    people: u32,
    /// Days that some of them have been here when a new folder begins, with meals and top-ups; 0 for none.
    #[arg(long, value_name = "DAYS", default_value_t = 45, value_parser = clap::value_parser!(u32).range(0..=400))]
    past: u32,
}

const PORT: u16 = 8840;

/// Runs until Ctrl-C; the folder can be continued later.
pub fn run(options: Options) -> Result<(), Failure> {
    start_log("warn");
    before::give(&options.data, options.people, options.past)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(demo(options))
}

async fn demo(options: Options) -> Result<(), Failure> {
    let pages = match options.port {
        Some(port) => listen::bind(loopback(port))?,
        None => listen::bind(loopback(PORT)).or_else(|_| listen::bind(loopback(0)))?,
    };
    let address = format!("http://{}", pages.local_addr()?);
    let gateway = listen::bind(loopback(0))?;
    let provider = listen::bind(loopback(0))?;
    let provider_address = format!("http://{}", provider.local_addr()?);

    let folder = setup::Folder::open(&options.data)?;
    let sandbox = folder.sandbox(&provider_address, Some(&address))?;
    let clock = Arc::new(SteadyClock::new());
    let wechat = folder.channel(&provider_address, &address, Arc::clone(&clock))?;
    let running = engine::start(folder.files(), setup::SCHOOL, folder.keyring(), wechat.clone(), clock)?;
    let school = running.school.clone();
    let authority = Authority::open(&folder.path().join("terminals"))?;
    let terminals = setup::fill(&school, &folder, &authority, options.people).await?;
    let counters = pos::start(terminals, gateway.local_addr()?)?;

    let courier: Arc<dyn Courier> = Arc::new(HttpCourier::new(&WebhookPart::this_machine())?);
    let state = pages::Demo::new(school.clone(), &folder, counters, provider_address.clone()).await?;
    let router = web::router(web::Web::new(school.clone(), pages::web_config(&address, &provider_address, wechat)));
    let router = router.merge(pages::router(state));
    let handle = Handle::new();
    let served = {
        let pages = listen::pages(pages, router, None, handle.clone());
        let gateway = listen::terminals(gateway, school.clone(), &authority, "127.0.0.1", handle.clone());
        let provider = sandbox.serve(tokio::net::TcpListener::from_std(provider)?);
        tokio::select! {
            ended = pages => ended,
            ended = gateway => ended,
            ended = provider => ended.map_err(Failure::from),
            ended = ready(&address) => ended,
            () = engine::run_due(&running) => Ok(()),
            () = webhooks::run(&school, Arc::clone(&courier)) => Ok(()),
            () = reports::feed(folder.path().to_owned(), school.id) => Ok(()),
            () = stop_asked() => Ok(()),
            () = teller_ended(&running) => {
                Err("the outcome of a commit is unknown; start again, recovery tells what was kept".into())
            }
        }
    };
    handle.graceful_shutdown(Some(Duration::from_secs(2)));
    running.stop()?;
    served
}

/// Says `ready:` once every page answers; never ends after that.
async fn ready(address: &str) -> Result<(), Failure> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    for page in ["/healthz", "/sign-in", "/demo", "/demo/people.json", "/demo/pos/1"] {
        let answer = client.get(format!("{address}{page}")).send().await?;
        if !answer.status().is_success() {
            return Err(Said(format!("{page} does not answer: {}", answer.status())).into());
        }
    }
    println!("ready: {address}");
    println!("       {address}/demo is the start page; Ctrl-C stops it, the folder can be continued later");
    std::future::pending().await
}
