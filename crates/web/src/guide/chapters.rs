//! The chapters of the guide, in the order in which a new holder needs them. Sentences stand in `i18n/`; what is chosen
//! here is which of them hold.

use rules::channel::terms;
use rules::limits::Setting;
use rules::top_up::Arrival;

use super::content::{Block, Teller};

/// Makes the blocks of a chapter.
type Make = fn(&Teller<'_>) -> Vec<Block>;

/// Name in addresses, and what makes it.
pub(super) const CHAPTERS: [(&str, Make); 14] = [
    ("first", first),
    ("password", password),
    ("topup", top_up),
    ("channels", channels),
    ("load", load),
    ("spend", spend),
    ("places", places),
    ("waiting", waiting),
    ("missing", missing),
    ("refund", refund),
    ("records", records),
    ("security", security),
    ("service", service),
    ("programs", programs),
];

fn first(teller: &Teller<'_>) -> Vec<Block> {
    let x_rule = match teller.get(Setting::InitialPasswordXRule) {
        1 => "guide-first-x-zero",
        2 => "guide-first-x-keep",
        3 => "guide-first-x-shift",
        _ => "guide-first-x-either",
    };
    let forced = teller.get(Setting::InitialPasswordForceChange) == 1;
    let change = if forced { "guide-first-change-forced" } else { "guide-first-change-advised" };
    vec![
        Block::Steps(teller.all(&["guide-first-open", "guide-first-number", "guide-first-password", change])),
        Block::Heading(teller.say("guide-first-which")),
        Block::Points(teller.all(&["guide-first-card", x_rule, "guide-first-passport"])),
        Block::Note(teller.say("guide-first-lock")),
    ]
}

fn password(teller: &Teller<'_>) -> Vec<Block> {
    vec![
        teller.text("guide-password-length"),
        Block::Heading(teller.say("guide-password-weak")),
        Block::Points(teller.all(&[
            "guide-password-weak-same",
            "guide-password-weak-run",
            "guide-password-weak-pattern",
            "guide-password-weak-birthday",
            "guide-password-weak-number",
            "guide-password-weak-document",
            "guide-password-weak-usual",
            "guide-password-weak-old",
        ])),
        Block::Heading(teller.say("guide-password-change")),
        Block::Points(teller.all(&["guide-password-age", "guide-password-sessions", "guide-password-forgotten"])),
    ]
}

fn top_up(teller: &Teller<'_>) -> Vec<Block> {
    let mut pay = vec!["guide-topup-pay-wechat"];
    pay.extend(teller.facts.pay_in_phone_browser.then_some("guide-topup-pay-browser"));
    pay.extend(teller.facts.pay_by_code.then_some("guide-topup-pay-code"));
    let mut steps = teller.all(&["guide-topup-open", "guide-topup-amount"]);
    steps.push(pay.iter().map(|key| teller.say(key)).collect::<Vec<_>>().join(teller.language.either("", " ")));
    steps.push(teller.say("guide-topup-within"));
    steps.push(teller.say(arrival_key(teller, "guide-topup-then-tap", "guide-topup-then-instant")));
    let day = match teller.get(Setting::WeChatDailyMax) {
        0 => teller.say("guide-topup-no-day"),
        _ => teller.value("wechat_daily_max"),
    };
    vec![
        Block::Steps(steps),
        Block::Heading(teller.say("guide-topup-limits")),
        Block::Pairs(vec![
            teller.pair("guide-topup-limit-least", teller.value("topup_min")),
            teller.pair("guide-topup-limit-order", teller.value("per_order")),
            teller.pair("guide-topup-limit-day", day),
            teller.pair("guide-topup-limit-cap", teller.value("balance_max")),
            teller.pair("guide-topup-limit-time", teller.value("order_pay_within")),
        ]),
        Block::Points(teller.all(&["guide-topup-cap-says", "guide-topup-card", "guide-topup-late"])),
    ]
}

fn arrival_key(teller: &Teller<'_>, tap: &'static str, instant: &'static str) -> &'static str {
    let waits = terms(teller.facts.limits).iter().any(|terms| terms.arrival == Arrival::Tap);
    if waits { tap } else { instant }
}

fn channels(teller: &Teller<'_>) -> Vec<Block> {
    vec![teller.text("guide-channels-lead"), teller.channels(), teller.text("guide-channels-arrival")]
}

fn load(teller: &Teller<'_>) -> Vec<Block> {
    vec![
        Block::Steps(teller.all(&["guide-load-find", "guide-load-hold", "guide-load-read"])),
        Block::Points(teller.all(&["guide-load-several", "guide-load-offline"])),
        Block::Heading(teller.say("guide-load-early")),
        teller.text("guide-load-early-says"),
        Block::Points(teller.all(&["guide-load-early-load", "guide-load-early-debit"])),
    ]
}

fn spend(teller: &Teller<'_>) -> Vec<Block> {
    let mut points = teller.all(&["guide-spend-max", "guide-spend-source", "guide-spend-called-off"]);
    if teller.get(Setting::PurseFloat) > 0 {
        points.push(teller.say("guide-spend-float"));
    }
    points.extend(teller.all(&["guide-spend-offline"]));
    vec![
        Block::Steps(teller.all(&["guide-spend-amount", "guide-spend-hold", "guide-spend-done"])),
        Block::Points(points),
    ]
}

fn places(teller: &Teller<'_>) -> Vec<Block> {
    let pair = |name: &str, says: &str| teller.pair(name, teller.say(says));
    vec![
        teller.text("guide-places-lead"),
        Block::Pairs(vec![
            pair("home-available", "guide-places-available"),
            pair("home-waits", "guide-places-waits"),
            pair("home-travels", "guide-places-travels"),
            pair("home-on-card", "guide-places-on-card"),
            pair("home-held", "guide-places-held"),
        ]),
        teller.text("guide-places-sum"),
    ]
}

fn waiting(teller: &Teller<'_>) -> Vec<Block> {
    vec![Block::Points(teller.all(&["guide-waiting-safe", "guide-waiting-finish", "guide-waiting-not-yet"]))]
}

fn missing(teller: &Teller<'_>) -> Vec<Block> {
    vec![
        teller.text("guide-missing-lead"),
        Block::Heading(teller.say("guide-missing-system")),
        Block::Points(teller.all(&[
            "guide-missing-query",
            "guide-missing-late",
            "guide-missing-twice",
            "guide-missing-other",
        ])),
        Block::Heading(teller.say("guide-missing-you")),
        Block::Steps(teller.all(&[
            "guide-missing-track",
            "guide-missing-check",
            "guide-missing-tap",
            "guide-missing-report",
        ])),
    ]
}

fn refund(teller: &Teller<'_>) -> Vec<Block> {
    vec![
        teller.text("guide-refund-lead"),
        Block::Points(teller.all(&[
            "guide-refund-what",
            "guide-refund-ask",
            "guide-refund-held",
            "guide-refund-time",
            "guide-refund-fails",
        ])),
    ]
}

fn records(teller: &Teller<'_>) -> Vec<Block> {
    vec![Block::Points(teller.all(&["guide-records-all", "guide-records-one", "guide-records-words"]))]
}

fn security(teller: &Teller<'_>) -> Vec<Block> {
    vec![Block::Points(teller.all(&[
        "guide-security-password",
        "guide-security-nobody",
        "guide-security-address",
        "guide-security-sign-out",
        "guide-security-pay",
    ]))]
}

fn service(teller: &Teller<'_>) -> Vec<Block> {
    let service = teller.facts.service;
    let both = |words: &(String, String)| teller.language.either(&words.0, &words.1).clone();
    let told = [
        ("guide-service-place", service.place.as_ref().map(both)),
        ("guide-service-hours", service.hours.as_ref().map(both)),
        ("guide-service-phone", service.phone.clone()),
        ("guide-service-email", service.email.clone()),
    ];
    let pairs: Vec<_> = told.into_iter().filter_map(|(key, value)| Some(teller.pair(key, value?))).collect();
    let where_it_is = if pairs.is_empty() { teller.text("guide-service-unknown") } else { Block::Pairs(pairs) };
    vec![
        where_it_is,
        Block::Heading(teller.say("guide-service-bring")),
        Block::Points(teller.all(&[
            "guide-service-bring-card",
            "guide-service-bring-number",
            "guide-service-bring-proof",
        ])),
    ]
}

fn programs(teller: &Teller<'_>) -> Vec<Block> {
    vec![
        teller.text("guide-programs-lead"),
        Block::Points(teller.all(&[
            "guide-programs-money",
            "guide-programs-key",
            "guide-programs-problem",
            "guide-programs-public",
        ])),
    ]
}
