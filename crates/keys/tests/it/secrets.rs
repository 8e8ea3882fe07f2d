//! Passwords and sealed fields through the port.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};

use flows::ports::{Field, SealBroken, Secrets};
use keys::{Keyring, SoftSecrets};
use ledger::Id;

struct Ring(mpsc::Sender<()>);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

fn wait<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
    let (ring, rung) = mpsc::channel();
    let waker = Waker::from(Arc::new(Ring(ring)));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        rung.recv().unwrap();
    }
}

fn secrets() -> SoftSecrets {
    SoftSecrets::new(&Keyring::generate()).unwrap()
}

const OWNER: Id = Id::new(7);
const FIELDS: [Field; 4] = [Field::Name, Field::IdentityNumber, Field::Phone, Field::OpenId];

#[test]
fn a_password_is_known_again_and_no_other_is() {
    let secrets = secrets();
    let hash = wait(secrets.hash_password("红楼梦 1791"));
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(wait(secrets.check_password("红楼梦 1791", Some(&hash))));
    for wrong in ["", "红楼梦 1792", "红楼梦 1791 "] {
        assert!(!wait(secrets.check_password(wrong, Some(&hash))), "{wrong:?}");
    }
}

#[test]
fn the_same_password_is_stored_differently_each_time() {
    let secrets = secrets();
    assert_ne!(wait(secrets.hash_password("123456")), wait(secrets.hash_password("123456")));
}

#[test]
fn a_hash_made_under_another_pepper_fits_no_password() {
    let hash = wait(secrets().hash_password("123456"));
    assert!(!wait(secrets().check_password("123456", Some(&hash))));
}

#[test]
fn an_unknown_number_costs_the_same_work_as_a_known_one_and_is_refused() {
    let secrets = secrets();
    let hash = wait(secrets.hash_password("123456"));
    let foreign = "$2b$12$abcdefghijklmnopqrstuv";
    for (stored, expected) in [(Some(hash.as_str()), true), (None, false), (Some(foreign), false), (Some(""), false)] {
        let before = secrets.derivations();
        assert_eq!(wait(secrets.check_password("123456", stored)), expected, "{stored:?}");
        assert_eq!(secrets.derivations(), before + 1, "{stored:?}");
    }
}

#[test]
fn many_checks_at_once_all_get_their_own_answer() {
    let secrets = Arc::new(secrets());
    let hash = wait(secrets.hash_password("right"));
    let callers: Vec<_> = (0..8)
        .map(|number| {
            let (secrets, hash) = (Arc::clone(&secrets), hash.clone());
            let password = if number % 2 == 0 { "right" } else { "wrong" };
            std::thread::spawn(move || wait(secrets.check_password(password, Some(&hash))))
        })
        .collect();
    for (number, caller) in callers.into_iter().enumerate() {
        assert_eq!(caller.join().unwrap(), number % 2 == 0);
    }
}

#[test]
fn a_sealed_field_opens_for_the_same_field_and_owner_alone() {
    let secrets = secrets();
    for field in FIELDS {
        let sealed = secrets.seal(field, OWNER, "林小雨");
        let opened = secrets.open(field, OWNER, &sealed).unwrap();
        assert_eq!(opened.expose_for("comparison in a test"), "林小雨");
        assert_eq!(secrets.open(field, Id::new(8), &sealed), Err(SealBroken));
        for other in FIELDS.into_iter().filter(|other| *other != field) {
            assert_eq!(secrets.open(other, OWNER, &sealed), Err(SealBroken), "{field:?} as {other:?}");
        }
    }
}

#[test]
fn a_sealed_field_with_any_changed_or_missing_byte_stays_shut() {
    let secrets = secrets();
    let sealed = secrets.seal(Field::Phone, OWNER, "13800001234");
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 0x01;
        assert_eq!(secrets.open(Field::Phone, OWNER, &changed), Err(SealBroken), "byte {place}");
        assert_eq!(secrets.open(Field::Phone, OWNER, &sealed[..place]), Err(SealBroken), "cut at {place}");
    }
}

#[test]
fn sealing_the_same_text_twice_shows_nothing_equal_and_another_key_opens_nothing() {
    let secrets = secrets();
    let (one, two) = (secrets.seal(Field::Name, OWNER, "王"), secrets.seal(Field::Name, OWNER, "王"));
    assert_ne!(one[1..13], two[1..13], "nonces");
    assert_ne!(one[13..], two[13..]);
    assert_eq!(self::secrets().open(Field::Name, OWNER, &one), Err(SealBroken));
    assert!(!one.windows(3).any(|bytes| bytes == "王".as_bytes()));
}

#[test]
fn a_lookup_finds_the_same_text_of_the_same_field_under_the_same_key() {
    let keyring = Keyring::generate();
    let (one, two) = (SoftSecrets::new(&keyring).unwrap(), SoftSecrets::new(&keyring).unwrap());
    let found = one.lookup(Field::Phone, "13800001234");
    assert_eq!(two.lookup(Field::Phone, "13800001234"), found);
    assert_ne!(one.lookup(Field::Phone, "13800001235"), found);
    assert_ne!(one.lookup(Field::OpenId, "13800001234"), found);
    assert_ne!(secrets().lookup(Field::Phone, "13800001234"), found);
}

#[test]
fn what_is_sealed_before_a_restart_opens_after_it() {
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("keys-restart.json");
    let _ = std::fs::remove_file(&path);
    let keyring = Keyring::generate();
    keyring.save_new(&path).unwrap();
    let before = SoftSecrets::new(&keyring).unwrap();
    let (sealed, hash) = (before.seal(Field::Name, OWNER, "林小雨"), wait(before.hash_password("123456")));
    drop(before);
    let after = SoftSecrets::new(&Keyring::load(&path).unwrap()).unwrap();
    assert!(after.open(Field::Name, OWNER, &sealed).is_ok());
    assert!(wait(after.check_password("123456", Some(&hash))));
}

#[test]
fn a_token_is_stored_as_its_sha_256() {
    let mut token = [0; 32];
    token[..3].copy_from_slice(b"abc");
    let secrets = secrets();
    let hash = secrets.token_hash(&token);
    assert_eq!(hash, secrets.token_hash(&token));
    let zeros = secrets.token_hash(&[0; 32]);
    assert_eq!(hex(&zeros), "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
    assert_ne!(hash, zeros);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
