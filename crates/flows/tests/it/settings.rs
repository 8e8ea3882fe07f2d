//! Settings: what holds, from when, by whom (R93).

use flows::settings::{change_setting, history, limits};
use rules::limits::Setting;

use crate::rig::{Rig, START, code, sendable};

#[test]
fn r93_a_change_holds_from_its_time_and_stands_in_the_history() {
    let rig = Rig::new();
    let get = |setting| rig.run(limits(&rig.school)).expect("readable").get(setting);
    let later = START.after_seconds(3_600);
    let now = rig.run(sendable(change_setting(&rig.school, "topup.min", 500, None, "li"))).expect("sensible");
    assert_eq!((now.from, now.set_at, now.set_by.as_str()), (START, START, "li"));
    rig.run(change_setting(&rig.school, "topup.min", 700, Some(later), "wang")).expect("sensible");
    assert_eq!(get(Setting::TopUpMin), 500);
    rig.advance(3_599);
    assert_eq!(get(Setting::TopUpMin), 500);
    rig.advance(1);
    assert_eq!(get(Setting::TopUpMin), 700);
    let told: Vec<_> =
        rig.run(history(&rig.school)).expect("readable").into_iter().map(|c| (c.value, c.set_by)).collect();
    assert_eq!(told, [(500, "li".to_owned()), (700, "wang".to_owned())]);
}

#[test]
fn r93_the_same_change_again_writes_nothing() {
    let rig = Rig::new();
    for _ in 0..3 {
        rig.run(change_setting(&rig.school, "password.tries", 3, None, "li")).expect("sensible");
        rig.advance(1);
    }
    assert_eq!(rig.run(history(&rig.school)).expect("readable").len(), 1);
    rig.run(change_setting(&rig.school, "balance.max", 1_000_000, None, "li")).expect("the default is sensible");
    assert_eq!(rig.blocks(), 1, "what holds by default is not written either");
}

#[test]
fn r93_a_refused_change_leaves_nothing() {
    let rig = Rig::new();
    let table = [
        ("topup.max", 500, None, "SETTING_UNKNOWN"),
        ("topup.min", 0, None, "SETTING_NONSENSE"),
        ("topup.min", 500, Some(START.after_seconds(-1)), "SETTING_PAST"),
        ("wechat.per_order_max", 10_000_001, None, "SETTING_NONSENSE"),
    ];
    for (name, value, from, expected) in table {
        let outcome = rig.run(change_setting(&rig.school, name, value, from, "li"));
        assert_eq!(code(outcome, |refusal| refusal.words()), expected, "{name} {value}");
    }
    assert_eq!(rig.blocks(), 0);
}
