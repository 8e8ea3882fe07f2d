//! The folder of a demo: keys, the provider's set, people, merchants, cards and terminals. What is there is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use device::channel::store_card;
use flows::ports::ListAsk;
use flows::rows::lists;
use flows::terminal::NewTerminal;
use flows::{School, card_issue, merchant, people};
use futures_util::future::join_all;
use keys::{Keyring, SystemEntropy};
use ledger::{Id, SchoolId};
use pay::wechat::{PlatformKeyConfig, WeChatConfig, WeChatPay};
use rules::calendar::campus_day;
use rules::ids::{CardNo, PersonId, TerminalNo};
use rules::roster;
use sandbox::{Choice, Config, MerchantSide, Sandbox, Tour, generate};

use super::text;
use crate::Failure;
use crate::clock::{SteadyClock, wall};
use crate::engine::Files;
use crate::prompt::{Refused, Said};
use crate::serve::private_folder;
use crate::tls::Authority;
use crate::{demo, issue, past};

/// The demo's school.
pub const SCHOOL: SchoolId = match SchoolId::new(1) {
    Some(school) => school,
    None => panic!("1 is a school"),
};

/// Cards carry this prefix, so that a demo's card is known for one.
pub const CARD_PREFIX: u64 = 0x2026_0000_0000_0000;

/// A demo's folder.
pub struct Folder {
    path: PathBuf,
    keyring: Keyring,
}

/// One of the demo's terminals.
pub struct DemoTerminal {
    /// Folder of its identity and journal.
    pub folder: PathBuf,
    /// Where it stands.
    pub place: (&'static str, &'static str),
}

impl Folder {
    /// Opens or makes it. Error: it holds something else.
    pub fn open(path: &Path) -> Result<Folder, Failure> {
        private_folder(path)
            .map_err(|fault| Said(format!("cannot make {}: {fault}; choose another --data", path.display())))?;
        let keys = path.join("keys.json");
        if !keys.exists() {
            if fs::read_dir(path)?.next().is_some() {
                return Err(Said(format!(
                    "{} holds other files and no demo; choose an empty folder with --data",
                    path.display()
                ))
                .into());
            }
            Keyring::generate().save_new(&keys)?;
        }
        Ok(Folder { path: path.to_owned(), keyring: Keyring::open(&keys)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its files, as the engine wants them.
    pub fn files(&self) -> Files<'_> {
        Files { data: &self.path, anchors: None }
    }

    /// Its keys.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// File of a card.
    pub fn card(&self, no: CardNo) -> PathBuf {
        self.path.join("cards").join(format!("{no}.card"))
    }

    fn provider(&self) -> PathBuf {
        self.path.join("sandbox")
    }

    /// The provider's simulator, at this address; its pages lead back to the tour of the demo at `demo`, where there is one.
    pub fn sandbox(&self, address: &str, demo: Option<&str>) -> Result<Sandbox, Failure> {
        let folder = self.provider();
        let config = folder.join("sandbox.toml");
        if !config.exists() {
            let choice = Choice {
                address: address.to_owned(),
                folder: Some(PathBuf::from("state")),
                retry_speed: 1,
                allowed_redirect_hosts: vec!["127.0.0.1".to_owned()],
                merchant_name: "示范大学校园卡".to_owned(),
            };
            generate(&choice, wall())?.write(&folder)?;
        }
        let mut setup = Config::read(&config)?.load(&folder)?;
        setup.address = address.to_owned();
        setup.tour = demo.map(|demo| Tour { address: format!("{demo}/demo"), beside_bills: text::BESIDE_BILLS });
        Ok(Sandbox::new(setup)?)
    }

    /// Our side of the provider's protocol.
    pub fn channel(&self, provider: &str, address: &str, clock: Arc<SteadyClock>) -> Result<Arc<WeChatPay>, Failure> {
        let folder = self.provider().join("merchant");
        let facts = MerchantSide::read(&folder)?;
        let config: WeChatConfig = WeChatConfig {
            api_base: provider.to_owned(),
            oauth_base: provider.to_owned(),
            token_base: provider.to_owned(),
            appid: facts.appid,
            mchid: facts.mchid,
            app_secret_file: folder.join("app_secret.txt"),
            merchant_serial: facts.merchant_serial,
            merchant_key_file: folder.join("merchant_private_key.pem"),
            apiv3_key_file: folder.join("apiv3_key.txt"),
            platform_keys: vec![PlatformKeyConfig {
                serial: facts.platform_key_id,
                public_key_file: folder.join("platform_public_key.pem"),
            }],
            download_certificates: false,
            certificates_file: None,
            notify_url: format!("{address}/notify/wechat"),
            connect_ms: 3_000,
            deadline_ms: 8_000,
        };
        Ok(Arc::new(WeChatPay::new(config.load()?, clock, Arc::new(SystemEntropy))?))
    }
}

/// Everyone and everything the school begins with; what is there already stays as it is. Gives the terminals.
pub async fn fill(
    school: &School,
    folder: &Folder,
    authority: &Authority,
    count: u32,
) -> Result<Vec<DemoTerminal>, Failure> {
    settle(school, folder, count).await?;
    let mut terminals = Vec::new();
    for (number, merchant, zh, en) in [
        (TerminalNo([0, 0, 1]), "canteen-1", "第一食堂 3 号窗口", "First canteen, window 3"),
        (TerminalNo([0, 0, 2]), "canteen-2", "第二食堂 1 号窗口", "Second canteen, window 1"),
    ] {
        terminals.push(enrol(school, folder, authority, number, merchant, (zh, en)).await?);
    }
    Ok(terminals)
}

/// Merchants, people and their cards.
pub async fn settle(school: &School, folder: &Folder, count: u32) -> Result<(), Failure> {
    for (code, zh, en) in past::SHOPS {
        merchant::add(school, code, zh, en).await.map_err(Refused::from)?;
    }
    if first_people(school, 1).await?.is_empty() {
        let rows = demo::people::roster(count);
        let entries: Vec<_> = roster::check(&rows, campus_day(wall())).into_iter().filter_map(Result::ok).collect();
        let imported = people::import(school, entries, false).await?;
        let failed = imported.refused() + imported.not_done();
        if failed > 0 {
            return Err(Said(format!("{failed} invented people could not be imported")).into());
        }
    }
    hand_out_cards(school, folder, count).await
}

/// The first holders of the school, in the order of their opening.
pub async fn first_people(school: &School, most: u32) -> Result<Vec<PersonId>, Failure> {
    let ask = ListAsk { list: lists::PEOPLE, owner: Vec::new(), from: 0, to: i64::MAX, backwards: false, most };
    let listed = school.list(ask).await?;
    Ok(listed.iter().filter_map(|each| each.key[..].try_into().ok()).map(Id::from_bytes).map(PersonId).collect())
}

/// A card for everyone who has none: its file first, so that no card in the book lacks its chip.
async fn hand_out_cards(school: &School, folder: &Folder, count: u32) -> Result<(), Failure> {
    fs::create_dir_all(folder.path().join("cards"))?;
    let people = first_people(school, count).await?;
    let keys: Vec<_> = people.iter().map(|person| flows::rows::Key::Person(*person)).collect();
    let rows = school.rows(&keys).await?;
    let without = people
        .iter()
        .zip(rows)
        .filter(|(_, row)| row.as_ref().and_then(|row| row.person()).is_some_and(|person| person.card.is_none()));
    let mut issued = Vec::new();
    for (index, (person, _)) in (1_u64..).zip(without) {
        let no = CardNo(CARD_PREFIX | index);
        let path = folder.card(no);
        if !path.exists() {
            store_card(&path, &issue::personalise(folder.keyring(), no)?)?;
        }
        issued.push(card_issue::issue(school, *person, no));
    }
    for outcome in join_all(issued).await {
        outcome.map_err(Refused::from)?;
    }
    Ok(())
}

async fn enrol(
    school: &School,
    folder: &Folder,
    authority: &Authority,
    number: TerminalNo,
    merchant: &str,
    place: (&'static str, &'static str),
) -> Result<DemoTerminal, Failure> {
    let home = folder.path().join("terminals").join(number.to_string());
    let certificate = crate::terminal::identity(&home, authority, folder.keyring(), number)?;
    let new = NewTerminal {
        terminal: number,
        merchant: merchant.to_owned(),
        place_zh: place.0.to_owned(),
        place_en: place.1.to_owned(),
        certificate,
    };
    crate::terminal::enrol(school, new).await?;
    Ok(DemoTerminal { folder: home, place })
}
