//! `onecard sandbox`: the payment provider's simulator alone.

use std::path::{Path, PathBuf};

use sandbox::{Choice, Config, Sandbox, generate};

use crate::clock::wall;
use crate::prompt::{Said, start_log};
use crate::serve::{loopback, stop_asked};
use crate::{Failure, listen};

/// Options of `onecard sandbox`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub struct Options {
    /// Runs with this configuration.
    #[arg(long, value_name = "FILE", group = "what")]
    config: Option<PathBuf>,
    /// Writes a complete set there, with fresh keys: the sandbox's configuration and what a merchant is given.
    #[arg(long, value_name = "DIR", group = "what")]
    example_config: Option<PathBuf>,
    /// Port, written into an example configuration.
    #[arg(long, default_value_t = 8850)]
    port: u16,
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
                retry_speed: 1,
                allowed_redirect_hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
                merchant_name: "示范大学校园卡".to_owned(),
            };
            generate(&choice, wall())?.write(&folder)?;
            println!(
                "wrote {}: run `onecard sandbox --config {}`",
                folder.display(),
                folder.join("sandbox.toml").display()
            );
            Ok(())
        }
        (None, None) => Err(Said("name --config or --example-config".to_owned()).into()),
    }
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
