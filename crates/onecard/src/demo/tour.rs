//! The demo's start page: a tour of the product in eight steps, with marks at what has really happened; and the page that
//! checks the book.

use std::fmt;

use askama::Template;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::verify::{Report, link_text};
use web::Yuan;

use super::pages::{Demo, Person, SHOWN, broken, page};
use super::progress::Progress;
use super::text::{Lang, Look, Texts};
use crate::verify::{Compared, check_and_tell};

/// A password that the tour suggests: strong enough for every person of the demo, and easy to find again.
const SUGGESTED: &str = "qiu-tian-7531";

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    t: Texts,
    look: Look,
    people: Vec<Person>,
    settled: Option<Person>,
    suggested: &'static str,
    steps: Vec<Step>,
    done: usize,
    of: usize,
    sandbox: &'a str,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It has happened.
    Done,
    /// It has begun.
    Half,
    /// It has not happened.
    Open,
    /// Nobody can tell: it leaves nothing in the book.
    Untold,
}

impl fmt::Display for Mark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Mark::Done => "done",
            Mark::Half => "half",
            Mark::Open => "open",
            Mark::Untold => "untold",
        })
    }
}

/// A step of the tour.
struct Step {
    name: &'static str,
    mark: Mark,
    says: String,
    title: &'static str,
    does: Vec<&'static str>,
    sees: &'static str,
    goes: Vec<(String, &'static str)>,
}

impl Step {
    fn new(
        t: &Texts,
        (name, mark): (&'static str, Mark),
        title: &'static str,
        does: Vec<&'static str>,
        sees: &'static str,
        goes: Vec<(String, &'static str)>,
    ) -> Step {
        Step { name, mark, says: says(t, mark).to_owned(), title, does, sees, goes }
    }
}

/// `GET /demo`
pub async fn start(State(demo): State<Demo>, headers: HeaderMap) -> Response {
    let t = Texts(Lang::of(&headers));
    let shown = &demo.people[..demo.people.len().min(SHOWN as usize)];
    let found = async {
        let progress = Progress::of(&demo.school, shown, &demo.sandbox).await?;
        Ok::<_, crate::Failure>((progress, demo.shown(SHOWN).await?, demo.settled().await?))
    };
    let (progress, people, settled) = match found.await {
        Ok(found) => found,
        Err(failure) => return broken(failure),
    };
    let steps = steps(&t, &progress, &demo.sandbox);
    let done = steps.iter().filter(|step| step.mark == Mark::Done).count();
    let of = steps.iter().filter(|step| step.mark != Mark::Untold).count();
    let look = Look::of(&headers, "/demo");
    page(&StartPage { t, look, people, settled, suggested: SUGGESTED, steps, done, of, sandbox: &demo.sandbox })
}

fn steps(t: &Texts, progress: &Progress, sandbox: &str) -> Vec<Step> {
    let mark = |happened: bool| if happened { Mark::Done } else { Mark::Open };
    let mend = match progress.mended {
        true => Mark::Done,
        false if progress.open => Mark::Half,
        false => Mark::Open,
    };
    let switches = format!("{sandbox}/control/switches?lang={}#switch-notice", t.0.tag());
    let top_up = || ("/me/topup".to_owned(), t.go_top_up());
    let pos = || ("/demo/pos/1".to_owned(), t.go_pos());
    let step = |name, mark, title, does, sees, goes| Step::new(t, (name, mark), title, does, sees, goes);
    let mut steps = vec![
        step(
            "sign-in",
            mark(progress.signed_in),
            t.sign_in_title(),
            vec![t.sign_in_do(), t.sign_in_then()],
            t.sign_in_see(),
            vec![("/".to_owned(), t.go_phone())],
        ),
        step("pay", mark(progress.paid), t.pay_title(), vec![t.pay_do(), t.pay_then()], t.pay_see(), vec![top_up()]),
        step("buy", mark(progress.bought), t.buy_title(), vec![t.buy_do(), t.buy_then()], t.buy_see(), vec![pos()]),
        step(
            "pull",
            mend,
            t.pull_title(),
            vec![t.pull_do(), t.pull_then(), t.pull_last()],
            t.pull_see(),
            vec![top_up(), pos()],
        ),
        step(
            "silence",
            mark(progress.by_query),
            t.silence_title(),
            vec![t.silence_do(), t.silence_then(), t.silence_last()],
            t.silence_see(),
            vec![(switches, t.go_switches()), top_up()],
        ),
        step(
            "read",
            Mark::Untold,
            t.read_title(),
            vec![t.read_do(), t.read_then()],
            t.read_see(),
            vec![("/me/records".to_owned(), t.go_records()), ("/me/statements".to_owned(), t.go_statements())],
        ),
        step(
            "lose",
            mark(progress.lost),
            t.lose_title(),
            vec![t.lose_do(), t.lose_then()],
            t.lose_see(),
            vec![("/me/card".to_owned(), t.go_card()), pos()],
        ),
        step(
            "behind",
            Mark::Untold,
            t.behind_title(),
            vec![t.behind_do(), t.behind_then()],
            t.behind_see(),
            behind(t, sandbox),
        ),
    ];
    if let Some(read) = steps.iter_mut().find(|step| step.name == "read") {
        read.says = format!("{}{}", t.records_so_far(), progress.records);
    }
    steps
}

/// How far a step is, in words.
fn says(t: &Texts, mark: Mark) -> &'static str {
    match mark {
        Mark::Done => t.mark_done(),
        Mark::Half => t.mark_half(),
        Mark::Open => t.mark_open(),
        Mark::Untold => t.mark_untold(),
    }
}

/// What stands behind the pages.
fn behind(t: &Texts, sandbox: &str) -> Vec<(String, &'static str)> {
    vec![
        ("/demo/verify".to_owned(), t.go_verify()),
        (format!("{sandbox}/control?lang={}", t.0.tag()), t.go_sandbox()),
        ("/api/v1/openapi.json".to_owned(), t.go_api()),
        ("/help".to_owned(), t.go_guide()),
    ]
}

/// A choice of language or look.
#[derive(Deserialize)]
pub struct Choice {
    back: String,
    language: Option<String>,
    theme: Option<String>,
}

/// `POST /demo/display`: keeps the choice in the portal's own cookies, and goes back.
pub async fn display(Form(choice): Form<Choice>) -> Response {
    let ours = choice.back.starts_with("/demo")
        && choice.back.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
    let mut answer = Redirect::to(if ours { &choice.back } else { "/demo" }).into_response();
    let chosen = [
        ("lang", choice.language.filter(|tag| web::Language::from_tag(tag).is_some())),
        ("theme", choice.theme.filter(|tag| web::Theme::from_tag(tag).is_some())),
    ];
    for (name, value) in chosen {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    answer
}

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    t: Texts,
    look: Look,
    clean: bool,
    counts: Vec<(&'static str, String)>,
    sums: Vec<(String, Yuan)>,
    /// The book has days that the sandbox has not.
    has_past: bool,
    head: (u64, u64, String),
    anchors: String,
    findings: Vec<String>,
}

/// `GET /demo/verify`: checks the whole book now, as `onecard verify` does. One check at a time; others wait.
pub async fn verify(State(demo): State<Demo>, headers: HeaderMap) -> Response {
    let t = Texts(Lang::of(&headers));
    let one = demo.verifying.clone().lock_owned().await;
    let (data, school) = (demo.data.clone(), demo.school.id);
    let checked = tokio::task::spawn_blocking(move || {
        let _one = one;
        let anchors = Compared::read(&data, school, None)?;
        let report = check_and_tell(&data, school, anchors.heads(), &mut |_| {})?;
        Ok::<_, crate::Failure>((anchors.heads().len(), report))
    });
    match checked.await {
        Ok(Ok((anchors, report))) => {
            let look = Look::of(&headers, "/demo/verify");
            page(&found(t, look, (&report, anchors), demo.has_past))
        }
        Ok(Err(failure)) => broken(failure),
        Err(fault) => broken(fault.into()),
    }
}

fn found(t: Texts, look: Look, (report, anchors): (&Report, usize), has_past: bool) -> VerifyPage {
    let rows: u64 = report.guard_rows.values().sum();
    let counts = vec![
        (t.verify_rows(), report.journal_rows.to_string()),
        (t.verify_blocks(), report.blocks.to_string()),
        (t.verify_accounts(), report.accounts.to_string()),
        (t.verify_guards(), rows.to_string()),
        (t.verify_open(), report.pendings.to_string()),
    ];
    let sums = report.sums.iter().map(|(thousand, sum)| (t.verify_group(*thousand), Yuan(*sum))).collect();
    VerifyPage {
        look,
        clean: report.clean(),
        counts,
        sums,
        has_past,
        head: (report.head.block, report.head.seq, link_text(&report.head.link)),
        anchors: anchors.to_string(),
        findings: report.findings.clone(),
        t,
    }
}
