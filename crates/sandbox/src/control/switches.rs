//! The switches as forms, and the calls that throw them.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use tracing::info;

use super::{ALL, Desk, Number, Visit};
use crate::asked::Asked;
use crate::page::{self, Frame};
use crate::records::Unsaved;
use crate::sandbox::Sandbox;
use crate::switch_words::standing_words;
use crate::switches::{CALLS, Call, Row, SWITCHES, Set, Switch, Switches, Way};
use crate::text::Language;

const MOST_TIMES: u32 = 1000;
pub(super) const PAGE: &str = "/control/switches";

#[derive(Template)]
#[template(path = "switches.html")]
struct SwitchesPage<'a> {
    frame: Frame<'a>,
    forms: Vec<SwitchForm>,
    /// All of them were set back just now.
    reset: bool,
}

struct SwitchForm {
    name: &'static str,
    title: &'static str,
    /// It was set just now.
    saved: bool,
    standing: String,
    next: Option<String>,
    ways: Vec<WayChoice>,
    /// What the number field offers, where a position needs one.
    number: Option<u32>,
    calls: Vec<(&'static str, &'static str)>,
    spendable: bool,
}

struct WayChoice {
    name: &'static str,
    words: &'static str,
    chosen: bool,
}

/// `GET /control/switches`
pub(crate) async fn show(State(sandbox): State<Sandbox>, headers: HeaderMap, Query(visit): Query<Visit>) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let frame = Frame::of_section(&sandbox, language, PAGE, language.words().switches);
    let switches = sandbox.look(|records| records.switches.clone());
    let saved = visit.saved.as_deref().unwrap_or_default();
    let forms = SWITCHES.iter().map(|switch| form(*switch, &switches, language, saved)).collect();
    page::html(StatusCode::OK, &SwitchesPage { frame, forms, reset: saved == ALL }, None)
}

fn form(switch: Switch, switches: &Switches, language: Language, saved: &str) -> SwitchForm {
    let standing = switches.standing(switch);
    let usual = switch.rows().find_map(|row| row.unit).map(|unit| unit.usual);
    let set_number = standing.way.row().unit.map(|_| standing.number);
    SwitchForm {
        name: switch.name(),
        title: switch.title(language),
        saved: switch.name() == saved,
        standing: standing_words(standing, language),
        next: next_words(switch, switches, language),
        ways: switch
            .rows()
            .map(|row| WayChoice { name: row.name, words: row.way.words(language), chosen: row.way == standing.way })
            .collect(),
        number: set_number.or(usual),
        calls: if switch == Switch::Answer {
            CALLS.iter().map(|(call, name)| (*name, call.words(language))).collect()
        } else {
            Vec::new()
        },
        spendable: switch.spendable(),
    }
}

fn next_words(switch: Switch, switches: &Switches, language: Language) -> Option<String> {
    switches.standing_next(switch).map(|(set, times)| format!("{} × {times}", standing_words(set, language)))
}

/// The switches that do not stand as they do without a fault: title, what stands, what stands for the next uses.
pub(crate) fn in_force(switches: &Switches, language: Language) -> Vec<(&'static str, String, Option<String>)> {
    SWITCHES
        .iter()
        .filter(|switch| switches.armed(**switch))
        .map(|switch| {
            let standing = standing_words(switches.standing(*switch), language);
            (switch.title(language), standing, next_words(*switch, switches, language))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchAsked {
    switch: String,
    #[serde(flatten)]
    how: How,
}

/// How a switch is to stand. `seconds`, `fen` and `percent` are other names of `number`.
#[derive(Deserialize)]
pub(crate) struct How {
    mode: String,
    #[serde(alias = "seconds", alias = "fen", alias = "percent")]
    number: Option<Number>,
    call: Option<Call>,
    #[serde(default)]
    scope: Scope,
    times: Option<Number>,
    lang: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    /// From now on; what was set for the next few uses is taken back.
    #[default]
    All,
    Next,
}

/// `POST /control/switch`: `{"switch":"answer","mode":"error_after","call":"refund","scope":"next","times":2}` or a
/// form.
///
/// Shape: `number` (or `seconds`, `fen`, `percent`) where the position needs one; `scope` is `all` unless given;
/// `times` is 1 unless given, and read for `next` alone.
/// Errors, in order: 400 `no_such_switch`, 400 `number_needed`, 400 `times_needed`, 409 `no_certificates`, 500
/// `unsaved`.
pub(crate) async fn set(State(sandbox): State<Sandbox>, headers: HeaderMap, asked: Asked<SwitchAsked>) -> Response {
    let (by, SwitchAsked { switch, how }) = (asked.by, asked.content);
    let language = Language::of(how.lang.as_deref(), &headers);
    let desk = Desk { sandbox: &sandbox, language, by, page: PAGE };
    let known = SWITCHES.iter().copied().find(|known| known.name() == switch);
    let row = known.and_then(|switch| switch.row(&how.mode));
    match row {
        Some(row) => throw(&desk, row, &how),
        None => desk.malformed("no_such_switch", language.words().no_such_switch),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoticeAsked {
    mode: String,
    seconds: Option<Number>,
    #[serde(default)]
    scope: Scope,
    lang: Option<String>,
}

/// `POST /control/notice`: the switch `notice` by an address of its own.
///
/// Errors: 400 `no_such_switch`, 400 `late_needs_seconds`, 500 `unsaved`.
pub(crate) async fn set_notice(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    asked: Asked<NoticeAsked>,
) -> Response {
    let (by, asked) = (asked.by, asked.content);
    let language = Language::of(asked.lang.as_deref(), &headers);
    let desk = Desk { sandbox: &sandbox, language, by, page: "/control" };
    let words = language.words();
    let Some(row) = Switch::Notice.row(&asked.mode) else {
        return desk.malformed("no_such_switch", words.no_such_switch);
    };
    let seconds = asked.seconds.as_ref().and_then(Number::value);
    if row.unit.is_some_and(|unit| seconds.is_none_or(|seconds| seconds > unit.most)) {
        return desk.malformed("late_needs_seconds", words.late_needs_seconds);
    }
    let NoticeAsked { mode, seconds, scope, lang } = asked;
    throw(&desk, row, &How { mode, number: seconds, call: None, scope, times: None, lang })
}

fn throw(desk: &Desk<'_>, row: &Row, how: &How) -> Response {
    let words = desk.language.words();
    let given = how.number.as_ref().and_then(Number::value);
    let number = match (row.unit, given) {
        (None, _) => 0,
        (Some(unit), Some(number)) if number <= unit.most => number,
        (Some(_), _) => return desk.malformed("number_needed", words.number_needed),
    };
    let times = match how.times.as_ref().map(Number::value) {
        _ if how.scope == Scope::All => 0,
        None => 1,
        Some(Some(times)) => times,
        Some(None) => 0,
    };
    if how.scope == Scope::Next && (!row.switch.spendable() || !(1..=MOST_TIMES).contains(&times)) {
        return desk.malformed("times_needed", words.times_needed);
    }
    let needed = match row.way {
        Way::Certificate | Way::Both | Way::First => 1,
        Way::FirstOfTwo | Way::SecondOfTwo | Way::Second => 2,
        _ => 0,
    };
    if desk.sandbox.keys().certificate_count() < needed {
        return desk.refuse(StatusCode::CONFLICT, "no_certificates", words.malformed_title, words.no_certificates);
    }
    let call = if row.switch == Switch::Answer { how.call.unwrap_or_default() } else { Call::All };
    let set = Set { way: row.way, number, call, set_at: desk.sandbox.clock().now() };
    let saved: Result<Value, Unsaved> = desk.sandbox.change(|records| {
        match how.scope {
            Scope::All => records.switches.set(row.switch, set),
            Scope::Next => records.switches.set_next(row.switch, set, times),
        }
        Ok(records.switches.json())
    });
    match saved {
        Ok(switches) => {
            info!(switch = row.switch.name(), mode = row.name, number, "a switch was set");
            desk.sandbox.wake();
            desk.saved(switches, row.switch.name())
        }
        Err(Unsaved) => desk.unsaved(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetAsked {
    lang: Option<String>,
}

/// `POST /control/reset`: every switch as it stands without a fault, JSON `{}` or a form.
pub(crate) async fn reset(State(sandbox): State<Sandbox>, headers: HeaderMap, asked: Asked<ResetAsked>) -> Response {
    let language = Language::of(asked.content.lang.as_deref(), &headers);
    let desk = Desk { sandbox: &sandbox, language, by: asked.by, page: PAGE };
    let saved: Result<Value, Unsaved> = sandbox.change(|records| {
        records.switches.reset();
        Ok(records.switches.json())
    });
    match saved {
        Ok(switches) => {
            sandbox.wake();
            desk.saved(switches, ALL)
        }
        Err(Unsaved) => desk.unsaved(),
    }
}
