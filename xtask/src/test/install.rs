//! Brings in what the tests need: from the system's packages, from PyPI and from npm. Where that is not possible it says
//! exactly what to install. Whatever is here already is left alone.

use std::path::Path;

use super::Places;
use super::run::{aloud, answer};

/// The browser driver, without a browser of its own: the system's Chromium is driven; and what reads the codes that people
/// scan, as a camera would.
const BROWSER: [(&str, &str); 3] = [("playwright", "1.65"), ("zxing-cpp", "3.1"), ("pillow", "13.0")];
/// The accessibility checker that is put into the pages under test.
const AXE: &str = "4.14";
/// Merchant SDKs of WeChat Pay written by others: from PyPI and from npm.
const PYTHON_SDK: [(&str, &str); 1] = [("wechatpayv3", "2.0.4")];
const NODE_SDK: &str = "0.9.6";
/// A stranger that reads the description of the interface for programs and asks everything.
const API: [(&str, &str); 1] = [("schemathesis", "4.32")];
/// The arithmetic of the stranger's card client.
const CARD: [(&str, &str); 1] = [("pycryptodome", "3.23")];
/// The system's Python: its package of PC/SC is for that one alone.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Something of the system that the tests need.
struct Need {
    /// What it is, for people whose system has no apt-get.
    what: &'static str,
    /// A shell command that succeeds if it is here.
    probe: &'static str,
    /// Debian's packages.
    packages: &'static [&'static str],
}

const NEEDS: [Need; 6] = [
    Need { what: "Chromium", probe: "command -v chromium", packages: &["chromium"] },
    Need {
        what: "a font with Chinese characters (Noto Sans CJK)",
        probe: "ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc || fc-list :lang=zh-cn | grep -q .",
        packages: &["fonts-noto-cjk"],
    },
    Need {
        what: "Python 3 with venv and pip",
        probe: "python3 -c 'import ensurepip, venv'",
        packages: &["python3", "python3-venv", "python3-pip"],
    },
    Need { what: "Node.js with npm", probe: "command -v node && command -v npm", packages: &["nodejs", "npm"] },
    Need {
        what: "the tools of XFS",
        // Who cannot mount anything has no use for them; the step that would have says so.
        probe: "command -v xfs_io && command -v mkfs.xfs || ! test -w /dev/loop-control",
        packages: &["xfsprogs"],
    },
    Need {
        what: "PC/SC with virtual readers and clients",
        probe: "PATH=\"$PATH:/usr/sbin\"; command -v pcscd && command -v opensc-tool && command -v ip && \
            test -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so && /usr/bin/python3 -c 'import smartcard' && \
            pkg-config --exists libpcsclite",
        packages: &[
            "pcscd",
            "vsmartcard-vpcd",
            "libpcsclite-dev",
            "pkg-config",
            "python3-pyscard",
            "opensc",
            "iproute2",
        ],
    },
];

/// Sees to it that everything is here.
pub fn everything(places: &Places) -> Result<(), String> {
    components(places)?;
    system(places)?;
    browser(places)?;
    axe(places)?;
    python_sdk(places)?;
    node_sdk(places)?;
    api(places)?;
    card(places)
}

fn run(line: &[&str], places: &Places) -> Result<(), String> {
    println!("   $ {}", line.join(" "));
    let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    let done = aloud(&words, &places.root, &places.target.join("xtask"), "install")?;
    if done.success { Ok(()) } else { Err(format!("`{}` did not end well", line.join(" "))) }
}

/// rustfmt and clippy.
fn components(places: &Places) -> Result<(), String> {
    let here = |command| answer("cargo", &[command, "--version"], &places.root).is_some();
    if here("fmt") && here("clippy") {
        return Ok(());
    }
    run(&["rustup", "component", "add", "rustfmt", "clippy"], places).map_err(|error| {
        format!("{error}; install the components rustfmt and clippy of your Rust toolchain, then run this again")
    })
}

/// What the system's package manager has.
fn system(places: &Places) -> Result<(), String> {
    let missing = missing(places);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    let by_hand = by_hand(&missing);
    if answer("sh", &["-c", "command -v apt-get"], &places.root).is_none() {
        return Err(by_hand);
    }
    let root_user = answer("id", &["-u"], &places.root).is_some_and(|id| id.trim() == "0");
    let before: &[&str] = match (root_user, answer("sudo", &["-n", "true"], &places.root)) {
        (true, _) => &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"],
        (false, Some(_)) => &["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"],
        (false, None) => return Err(by_hand),
    };
    let refused = |error: String| format!("{error}; {by_hand}");
    run(&[before, &["update"]].concat(), places).map_err(refused)?;
    run(&[before, &["install", "-y", "--no-install-recommends"], &packages].concat(), places).map_err(refused)?;
    let left = self::missing(places);
    if left.is_empty() { Ok(()) } else { Err(self::by_hand(&left)) }
}

fn missing(places: &Places) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| answer("sh", &["-c", need.probe], &places.root).is_none()).collect()
}

fn by_hand(missing: &[&Need]) -> String {
    let what: Vec<&str> = missing.iter().map(|need| need.what).collect();
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    format!(
        "missing: {}. Install it and run this again; on Debian: sudo apt-get install {}",
        what.join(", "),
        packages.join(" ")
    )
}

/// What drives the browser, in a folder of its own.
fn browser(places: &Places) -> Result<(), String> {
    from_pypi(places, &["python3"], &BROWSER, &places.browser().join("venv"), &places.python())
}

/// The Python SDK in a folder of its own.
fn python_sdk(places: &Places) -> Result<(), String> {
    from_pypi(places, &["python3"], &PYTHON_SDK, &places.sdk().join("venv"), &places.sdk_python())
}

/// The stranger that asks the interface for programs, in a folder of its own.
fn api(places: &Places) -> Result<(), String> {
    from_pypi(places, &["python3"], &API, &places.api().join("venv"), &places.api_python())
}

/// The arithmetic of the card client, beside the system's packages.
fn card(places: &Places) -> Result<(), String> {
    let venv = [SYSTEM_PYTHON, "--system-site-packages"];
    from_pypi(places, &venv, &CARD, &places.card().join("venv"), &places.card_python())
}

/// Packages of PyPI, each of its line of versions, in a virtual environment of their own, made by a
/// Python with these options.
fn from_pypi(
    places: &Places,
    maker: &[&str],
    packages: &[(&str, &str)],
    folder: &Path,
    python: &Path,
) -> Result<(), String> {
    let right = || {
        packages.iter().all(|(package, line)| {
            let ask = format!("import importlib.metadata as m; print(m.version('{package}'))");
            answer(python, &["-c", &ask], &places.root).is_some_and(|found| of_line(&found, line))
        })
    };
    if right() {
        return Ok(());
    }
    let wanted: Vec<String> = packages.iter().map(|(package, line)| format!("{package}=={line}.*")).collect();
    let all = wanted.join(" ");
    let (program, options) = maker.split_first().ok_or("no Python is named")?;
    let place = folder.display().to_string();
    run(&[&[*program, "-m", "venv", "--clear"], options, &[&place]].concat(), places)?;
    let python = python.display().to_string();
    let mut pip = vec![python.as_str(), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"];
    pip.extend(wanted.iter().map(String::as_str));
    run(&pip, places).map_err(|error| format!("{error}; PyPI must be reachable for {all}"))?;
    if right() { Ok(()) } else { Err(format!("{all} are not in {}", folder.display())) }
}

/// axe-core, one file of which is put into the pages under test.
fn axe(places: &Places) -> Result<(), String> {
    from_npm(places, "axe-core", AXE, &places.browser(), &places.axe())
}

/// The Node SDK and what it needs.
fn node_sdk(places: &Places) -> Result<(), String> {
    let entry = places.sdk_modules().join("wechatpay-axios-plugin/index.js");
    from_npm(places, "wechatpay-axios-plugin", NODE_SDK, &places.sdk(), &entry)
}

/// A package of npm in `node_modules` of a folder, with this file of it.
fn from_npm(places: &Places, package: &str, line: &str, folder: &Path, file: &Path) -> Result<(), String> {
    let manifest = folder.join("node_modules").join(package).join("package.json");
    let right = || {
        let text = std::fs::read_to_string(&manifest).unwrap_or_default();
        let version = text.split("\"version\":").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap_or_default();
        of_line(version, line) && file.is_file()
    };
    if right() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let (prefix, wanted) = (folder.display().to_string(), format!("{package}@{line}"));
    let flags = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
    run(&[&["npm", "install", "--prefix", &prefix][..], &flags, &[&wanted]].concat(), places)
        .map_err(|error| format!("{error}; npm's registry must be reachable for {wanted}"))?;
    if right() { Ok(()) } else { Err(format!("{wanted} is not in {prefix}")) }
}

/// Whether a version belongs to a line of versions: `1.65.2` to `1.65`, `1.650.0` not.
fn of_line(version: &str, line: &str) -> bool {
    version.trim().strip_prefix(line).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_belong_to_their_line() {
        let table = [("1.65.2\n", true), ("1.65", true), ("1.650.0", false), ("1.6.5", false), ("", false)];
        for (version, wanted) in table {
            assert_eq!(of_line(version, "1.65"), wanted, "{version}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_brings_it() {
        let text = by_hand(&[&NEEDS[0], &NEEDS[2]]);
        assert_eq!(
            text,
            "missing: Chromium, Python 3 with venv and pip. Install it and run this again; \
             on Debian: sudo apt-get install chromium python3 python3-venv python3-pip"
        );
    }
}
