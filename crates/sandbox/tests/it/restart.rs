use std::path::{Path, PathBuf};

use sandbox::{Sandbox, Setup, StartError};
use serde_json::json;

use crate::merchant::{Merchant, setup};
use crate::receiver::Receiver;

/// A folder of this test alone, removed when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sandbox-{name}-{}", std::process::id()));
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that was never made needs no removal.
        if self.0.exists() {
            std::fs::remove_dir_all(&self.0).expect("removed");
        }
    }
}

fn kept(folder: &Folder) -> Setup {
    Setup { folder: Some(folder.path().to_owned()), ..setup() }
}

#[tokio::test]
async fn orders_switches_and_notices_outlive_a_restart() {
    let (folder, mut receiver) = (Folder::new("restart"), Receiver::answering(&[500]).await);
    let merchant = Merchant::with(kept(&folder));
    let mut order = merchant.order("RESTART001");
    order["notify_url"] = json!(receiver.address);
    let prepay_id = merchant.created(&order).await;
    merchant.pay("RESTART001").await;
    merchant.post_json("/control/notice", &json!({ "mode": "lost", "scope": "next" })).await;
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    receiver.next().await;
    let (before, transaction) =
        (merchant.get("/control/state").await.json(), merchant.query("RESTART001").await.json());
    let clock = merchant.clock.clone();
    drop(merchant);

    let merchant = Merchant::on_clock(kept(&folder), clock);
    assert_eq!(merchant.get("/control/state").await.json(), before);
    assert_eq!(merchant.query("RESTART001").await.json(), transaction);
    assert!(merchant.get(&format!("/cashier/{prepay_id}")).await.text().contains("已支付"));
    let id = transaction["transaction_id"].as_str().expect("a number");
    let target = format!("/v3/pay/transactions/id/{id}?mchid={}", merchant.side.mchid);
    assert_eq!(merchant.call("GET", &target, "").await.json(), transaction);

    // The second try of the notice is still due at its time.
    merchant.clock.forward(14);
    assert_eq!(merchant.sandbox.deliver_due().await, 0);
    merchant.clock.forward(1);
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    assert_eq!(receiver.next().await.proved(&merchant), transaction);
}

#[tokio::test]
async fn without_a_folder_a_restart_forgets() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("RESTART002")).await;
    let merchant = Merchant::on_clock(setup(), merchant.clock.clone());
    assert_eq!(merchant.query("RESTART002").await.refusal(), (404, "ORDER_NOT_EXIST".into()));
}

#[tokio::test]
async fn a_state_that_cannot_be_written_is_an_unknown_outcome() {
    let folder = Folder::new("unwritable");
    let merchant = Merchant::with(kept(&folder));
    let order = merchant.order("RESTART003");
    merchant.created(&order).await;
    std::fs::remove_dir_all(folder.path()).expect("removed");
    assert_eq!(merchant.create(&order).await.refusal(), (500, "SYSTEM_ERROR".into()));
    let paid = merchant.pay("RESTART003").await;
    assert_eq!((paid.status.as_u16(), paid.json()["error"].clone()), (500, json!("unsaved")));
}

#[test]
fn a_broken_state_file_stops_the_start() {
    let folder = Folder::new("broken");
    std::fs::create_dir_all(folder.path()).expect("a folder");
    std::fs::write(folder.path().join("state.json"), b"{\"wechat\":").expect("written");
    assert!(matches!(Sandbox::new(kept(&folder)), Err(StartError::Folder(_))));
}
