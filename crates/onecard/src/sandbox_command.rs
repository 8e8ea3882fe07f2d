//! `onecard sandbox`: the payment provider's simulator alone.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sandbox::{Choice, Config, MerchantSide, Sandbox, generate};

use crate::clock::wall;
use crate::prompt::{Said, start_log};
use crate::serve::{loopback, stop_asked};
use crate::{Failure, listen};

/// Options of `onecard sandbox`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true)), after_long_help = switches())]
pub struct Options {
    /// Runs with this configuration.
    #[arg(long, value_name = "FILE", group = "what")]
    config: Option<PathBuf>,
    /// Writes a complete set there, with fresh keys: the sandbox's configuration, what a merchant is given, and an
    /// `onecard.toml` with which `onecard serve` starts against this sandbox.
    #[arg(long, value_name = "DIR", group = "what")]
    example_config: Option<PathBuf>,
    /// Port, written into an example configuration.
    #[arg(long, default_value_t = 8850)]
    port: u16,
    /// How many times faster than in reality notices are repeated and refunds arrive, written into an example
    /// configuration.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    retry_speed: u32,
}

/// The part of `--help` that names the switches.
fn switches() -> String {
    format!(
        "Switches, thrown on the page /control/switches or with POST /control/switch \
         {{\"switch\":\"notice\",\"mode\":\"late\",\"seconds\":60}}:\n{}\n\
         A mode is for good, or with \"scope\":\"next\" and \"times\" for the next few uses; the switch `answer` takes a \
         \"call\" that alone is hit. docs/sandbox.md tells what each does.",
        sandbox::switch_list()
    )
}

/// Runs the sandbox until it is told to stop, or writes an example configuration.
pub fn run(options: Options) -> Result<(), Failure> {
    start_log("info");
    match (options.config, options.example_config) {
        (Some(config), _) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(serve(&config))
        }
        (None, Some(folder)) => {
            let choice = Choice {
                address: format!("http://127.0.0.1:{}", options.port),
                folder: Some(PathBuf::from("state")),
                retry_speed: options.retry_speed,
                allowed_redirect_hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
                merchant_name: "示范大学校园卡".to_owned(),
            };
            let keys = generate(&choice, wall())?;
            keys.write(&folder)?;
            let platform = folder.join(PLATFORM_FILE);
            write_new(&platform, &platform_config(&keys.merchant))?;
            println!(
                "wrote {}: run `onecard sandbox --config {}`, and beside it `onecard serve --config {}`",
                folder.display(),
                folder.join("sandbox.toml").display(),
                platform.display()
            );
            Ok(())
        }
        (None, None) => Err(Said("name --config or --example-config".to_owned()).into()),
    }
}

const PLATFORM_FILE: &str = "onecard.toml";

/// A configuration of `onecard serve` for a trial against this sandbox; file names are relative to its folder.
fn platform_config(merchant: &MerchantSide) -> String {
    let MerchantSide { address, mchid, appid, merchant_serial, platform_key_id, .. } = merchant;
    format!(
        r#"# A trial of the platform against the payment sandbox beside this file. No real money moves here.
# What each key means: docs/configuration.md.

data = "school"
school = 1
name_zh = "示范大学"
name_en = "Model University"
trial = true

[web]
listen = "127.0.0.1:8840"
base_url = "http://127.0.0.1:8840"
sandbox_cashier = "{address}"

[terminals]
listen = "127.0.0.1:8841"
host = "127.0.0.1"

[wechat]
api_base = "{address}"
oauth_base = "{address}"
token_base = "{address}"
appid = "{appid}"
mchid = "{mchid}"
app_secret_file = "merchant/app_secret.txt"
merchant_serial = "{merchant_serial}"
merchant_key_file = "merchant/merchant_private_key.pem"
apiv3_key_file = "merchant/apiv3_key.txt"
notify_url = "http://127.0.0.1:8840/notify/wechat"

[[wechat.platform_keys]]
serial = "{platform_key_id}"
public_key_file = "merchant/platform_public_key.pem"
"#
    )
}

fn write_new(path: &Path, content: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|fault| Said(format!("cannot write {}: {fault}; choose an empty folder", path.display())))?;
    Ok(file.write_all(content.as_bytes())?)
}

async fn serve(path: &Path) -> Result<(), Failure> {
    let config = Config::read(path)?;
    let setup = config.load(path.parent().unwrap_or(Path::new(".")))?;
    let port = setup.address.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
    let port: u16 =
        port.ok_or_else(|| Said("address must end with a port, such as http://127.0.0.1:8850".to_owned()))?;
    let listener = tokio::net::TcpListener::from_std(listen::bind(loopback(port))?)?;
    println!("ready: {}", setup.address);
    tokio::select! {
        ended = Sandbox::new(setup)?.serve(listener) => ended?,
        () = stop_asked() => {}
    }
    Ok(())
}
