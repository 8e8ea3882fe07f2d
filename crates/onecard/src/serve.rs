//! `onecard serve`: the platform for a school.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use keys::{Keyring, SystemEntropy};
use pay::wechat::WeChatPay;
use report::document::typeface::Typefaces;
use tokio::signal;
use web::guide::GuideConfig;

use crate::clock::SteadyClock;
use crate::config::{self, Config};
use crate::courier::HttpCourier;
use crate::prompt::start_log;
use crate::tls::Authority;
use crate::{Failure, campus, engine, listen, reports, webhooks};

/// Options of `onecard serve`.
#[derive(clap::Args)]
pub struct Options {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs until it is told to stop (Ctrl-C or SIGTERM), then answers what is queued and closes the book.
pub fn run(options: Options) -> Result<(), Failure> {
    start_log("info");
    let config = config::read(&options.config)?;
    let keyring = keyring(&config)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config, keyring))
}

/// The school's keys; made on the first start of a new folder.
pub fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let path = config.keyring();
    private_folder(&config.data)?;
    if !path.exists() && !config.data.join("book.sqlite").exists() {
        Keyring::generate().save_new(&path)?;
        eprintln!(
            "made fresh keys in {}: keep a copy in a safe, without it no card and no name can be read",
            path.display()
        );
    }
    let keyring = Keyring::open(&path)?;
    if !config.trial {
        keyring.check_production()?;
    }
    Ok(keyring)
}

/// Makes a folder that only its owner may enter; one that is there stays as it is.
pub fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The WeChat channel of a configuration.
pub fn channel(config: &Config, clock: Arc<SteadyClock>) -> Result<Arc<WeChatPay>, Failure> {
    let merchant = config.wechat.load()?;
    Ok(Arc::new(WeChatPay::new(merchant, clock, Arc::new(SystemEntropy))?))
}

async fn serve(config: Config, keyring: Keyring) -> Result<(), Failure> {
    let clock = Arc::new(SteadyClock::new());
    let wechat = channel(&config, Arc::clone(&clock))?;
    let guide = campus::guide_config(&config.service, &config.guide)?;
    let pages = listen::bind(config.web.listen)?;
    let gateway = listen::bind(config.terminals.listen)?;
    let courier = Arc::new(HttpCourier::new(&config.webhooks)?);
    let authority = Authority::open(&config.data.join("terminals"))?;
    let running = engine::start(config.files(), config.school_id()?, &keyring, wechat.clone(), clock)?;
    let school = running.school.clone();
    let router = web::router(web::Web::new(school.clone(), web_config(&config, Arc::clone(&wechat), guide)));
    let handle = Handle::new();
    let (pages_handle, gateway_handle) = (handle.clone(), handle.clone());
    let tls = config.web.certificate_file.as_deref().zip(config.web.key_file.as_deref());
    tracing::info!("{} is served at {}", config.name_en, config.web.base_url);
    let served = tokio::select! {
        ended = listen::pages(pages, router, tls, pages_handle) => ended,
        ended = listen::terminals(gateway, school.clone(), &authority, &config.terminals.host, gateway_handle) => ended,
        () = engine::run_due(&running) => Ok(()),
        () = webhooks::run(&school, courier) => Ok(()),
        () = wechat.keep_certificates() => Ok(()),
        () = reports::feed(config.data.clone(), school.id) => Ok(()),
        () = stop_asked() => Ok(()),
        () = teller_ended(&running) => Err("the outcome of a commit is unknown; start again, recovery tells what was kept".into()),
    };
    handle.graceful_shutdown(Some(Duration::from_secs(5)));
    running.stop()?;
    served
}

/// What the pages are told about this installation.
pub fn web_config(config: &Config, wechat: Arc<WeChatPay>, guide: GuideConfig) -> web::WebConfig {
    web::WebConfig {
        base_url: config.web.base_url.clone(),
        secure_cookies: config.web.base_url.starts_with("https://"),
        school_name_zh: config.name_zh.clone(),
        school_name_en: config.name_en.clone(),
        wechat_authorize: Arc::new(move |redirect: &str, state: &str| wechat.authorize_url(redirect, state)),
        pay_in_phone_browser: config.web.pay_in_phone_browser,
        pay_by_code: config.web.pay_by_code,
        client_header: config.web.client_header.clone(),
        cashier: config.web.sandbox_cashier.clone(),
        form_action_hosts: config.web.sandbox_cashier.iter().cloned().collect(),
        demo_link: None,
        domain_checks: config.web.domain_checks.clone().into_iter().collect(),
        guide,
        typefaces: Typefaces::new(config.report.font.clone()),
    }
}

/// Ctrl-C, or the service manager's stop.
pub async fn stop_asked() {
    let interrupt = signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}

/// Ends when the teller has ended by itself (M4).
pub async fn teller_ended(running: &engine::Running) {
    while running.alive() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An address of this machine alone.
pub const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}
