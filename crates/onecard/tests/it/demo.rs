//! The demo's own pages, asked as a browser asks them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use reqwest::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, LOCATION};
use reqwest::{Client, redirect};
use serde_json::Value;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// A demo of a few people in a process of its own.
struct Demo {
    process: Child,
    /// Kept, so that what it says later has somewhere to go.
    _said: BufReader<ChildStdout>,
    folder: String,
    address: String,
    client: Client,
}

impl Demo {
    fn start(name: &str, past: &str) -> Demo {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let folder = folder.to_str().unwrap().to_owned();
        // Fails only when another test of this process was faster.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).build().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_onecard"))
            .args(["demo", "--data", &folder, "--port", "0", "--people", "4", "--past", past])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let ready =
            said.by_ref().lines().map(Result::unwrap).find_map(|line| Some(line.strip_prefix("ready: ")?.to_owned()));
        Demo { process, _said: said, folder, address: ready.unwrap(), client }
    }

    async fn get(&self, page: &str, language: &str) -> String {
        let address = if page.starts_with("http") { page.to_owned() } else { format!("{}{page}", self.address) };
        let answer = self.client.get(address).header(ACCEPT_LANGUAGE, language).send().await.unwrap();
        assert!(answer.status().is_success(), "{page}: {}", answer.status());
        answer.text().await.unwrap()
    }

    async fn people(&self) -> Value {
        serde_json::from_str(&self.get("/demo/people.json", "zh").await).unwrap()
    }

    /// The answer to a form that the script sends.
    async fn press(&self, form: &str, fields: &str, language: &str) -> String {
        let asked = self.client.post(format!("{}{form}", self.address)).header("x-fragment", "1");
        let asked = asked.header(CONTENT_TYPE, "application/x-www-form-urlencoded").header(ACCEPT_LANGUAGE, language);
        let answer = asked.body(fields.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success(), "{form}: {}", answer.status());
        answer.text().await.unwrap()
    }

    /// Number of the newest sound of a POS.
    async fn sounds(&self, pos: u8) -> u64 {
        let face = self.get(&format!("/demo/pos/{pos}/face"), "zh").await;
        face.split_once("data-sound-number=\"").unwrap().1.split_once('"').unwrap().0.parse().unwrap()
    }

    /// Presses the button, and waits until the POS has sounded once more.
    async fn holds(&self, pos: u8, card: &str) {
        let before = self.sounds(pos).await;
        assert_eq!(self.press(&format!("/demo/pos/{pos}/hold"), &format!("card={card}"), "zh").await, "");
        let sounded = async { while self.sounds(pos).await == before {} };
        timeout(PATIENCE, sounded).await.unwrap_or_else(|_| panic!("POS {pos} does nothing with the card"));
    }

    async fn is_connected(&self, pos: u8) {
        let face = format!("/demo/pos/{pos}/face");
        let connected = async { while self.get(&face, "en").await.contains("data-lamp=\"red\"") {} };
        timeout(PATIENCE, connected).await.unwrap_or_else(|_| panic!("POS {pos} finds no platform"));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_card_is_heard_at_every_press_wherever_it_lay_before() {
    let demo = Demo::start("demo_hold", "0");
    let people = demo.people().await;
    let card = people["people"][0]["card"].as_str().unwrap();
    demo.is_connected(1).await;
    demo.is_connected(2).await;
    demo.holds(1, card).await;
    demo.holds(1, card).await;
    assert_eq!(demo.press("/demo/pos/1/pull", "", "zh").await, "");
    demo.holds(1, card).await;
    demo.holds(2, card).await;
    demo.holds(1, card).await;
}

#[tokio::test]
async fn a_card_that_cannot_be_held_is_told_in_the_readers_language_and_without_a_path() {
    let demo = Demo::start("demo_held", "0");
    let people = demo.people().await;
    let card = people["people"][0]["card"].as_str().unwrap();
    let file = Path::new(&demo.folder).join("cards").join(format!("{card}.card"));
    std::fs::write(&file, "no card").unwrap();
    for (language, expected) in [("zh-CN", "这张卡读不出来"), ("en", "This card cannot be read")] {
        let said = demo.press("/demo/pos/1/hold", &format!("card={card}"), language).await;
        assert!(said.starts_with(expected) && !said.contains(".card"), "{said}");
    }
}

#[tokio::test]
async fn without_script_a_browser_comes_back_to_the_display_and_the_outcome() {
    let demo = Demo::start("demo_plain", "0");
    let page = demo.get("/demo/pos/2", "en").await;
    assert!(page.contains("id=\"glass\""), "{page}");
    for form in ["key", "sale", "hold", "pull"] {
        assert!(page.contains(&format!("action=\"/demo/pos/2/{form}#glass\"")), "{form}");
    }
    let people = demo.people().await;
    let card = format!("card={}", people["people"][0]["card"].as_str().unwrap());
    demo.is_connected(2).await;
    let asked = demo.client.post(format!("{}/demo/pos/2/hold", demo.address));
    let asked = asked.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(card);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.headers()[LOCATION], "/demo/pos/2#glass");
    assert_eq!(demo.sounds(2).await, 1, "what the hold came to");
}

#[tokio::test]
async fn the_tour_names_both_buttons_and_its_links_to_the_sandbox_keep_the_language_and_lead_back() {
    let demo = Demo::start("demo_tour", "0");
    for (language, buttons) in [
        ("zh-CN", ["在沙箱里扫码", "在沙箱收银台支付"]),
        ("en", ["Scan it in the sandbox", "Pay at the sandbox cashier"]),
    ] {
        let tour = demo.get("/demo", language).await;
        assert!(buttons.iter().all(|button| tour.contains(button)), "{tour}");
        let links: Vec<&str> = tour
            .split("href=\"")
            .skip(1)
            .filter_map(|link| link.split('"').next())
            .filter(|link| link.contains("/control"))
            .collect();
        assert_eq!(links.len(), 3, "{links:?}");
        for link in links {
            assert!(link.contains(&format!("?lang={language}")), "{link}");
            let page = demo.get(link.split('#').next().unwrap(), "fr").await;
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{link}");
            assert!(page.contains(&format!("<a href=\"{}/demo\">", demo.address)), "{link}");
        }
    }
    assert!(!demo.get("/demo/verify", "en").await.contains("data-testid=\"past\""), "a book without a past");
}

#[tokio::test]
async fn a_book_with_a_past_is_not_compared_with_the_sandbox_unwarned() {
    let demo = Demo::start("demo_past", "2");
    for (language, words) in [("zh-CN", "没有经过沙箱"), ("en", "never passed the sandbox")] {
        let page = demo.get("/demo/verify", language).await;
        assert!(page.contains("data-testid=\"past\"") && page.contains(words), "{page}");
    }
    let sandbox = demo.people().await["sandbox"].as_str().unwrap().to_owned();
    let bills = demo.get(&format!("{sandbox}/control/bills?lang=en"), "en").await;
    assert!(bills.contains("never passed this sandbox"), "{bills}");
}
