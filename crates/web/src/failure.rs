//! The one boundary at which a failure becomes a page or `application/problem+json` (RFC 9457).
//!
//! A handler gives back a [`Failure`]; it says what happened and nothing of how that looks. The boundary knows the reader's
//! language and whether a person or a program asked.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flows::ReadFault;
use flows::ports::SealBroken;
use flows::unavailable::Unavailable;
use ledger::Micros;
use rules::pace::TooOften;
use rules::password::Locked;
use rules::words::Words;

use crate::api;
use crate::config::Web;
use crate::notice;
use crate::page;
use crate::problem::{MoneyWord, NextStep, Problem};
use crate::router::LARGEST_BODY;
use crate::text::Language;
use crate::visit::{Visit, own_address, own_path};

/// No answer takes longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// A body that is not whole by then is given up.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The rules, or the server, say no in their own words.
    Words(Words),
    /// The rules say no in their own words until a moment.
    Until {
        /// Why.
        words: Words,
        /// Seconds until then.
        wait: i64,
    },
    /// Nobody is signed in.
    SignInFirst {
        /// Where to go on afterwards.
        next: String,
    },
    /// The first password must be changed before anything else (R26).
    ChangeFirst {
        /// Where to go on afterwards.
        next: String,
    },
    /// No such page, order or record, or not this person's.
    NotFound,
    /// The address takes no such method.
    NotAllowed,
    /// The body is too large.
    TooLarge,
    /// The body or an address is not of the expected form.
    Malformed,
    /// What a program sent is not of the expected form: what is wrong, and where.
    MalformedAt(String),
    /// What a program sent is no JSON by its own word.
    MediaType,
    /// A program takes nothing that could be answered.
    NotAcceptable,
    /// The body did not come whole in time.
    TooSlow,
    /// A program used an idempotency key for another call before.
    KeyConflict,
    /// A program showed no token that lives.
    TokenInvalid,
    /// A program's token does not open this.
    ScopeMissing {
        /// What it would need; none when no token opens it.
        scope: Option<&'static str>,
    },
    /// The request comes from a page of another origin.
    ForeignOrigin,
    /// The form is not one that this session was given.
    StaleForm,
    /// A program gave no usable `Idempotency-Key`.
    NoKey,
    /// A fresh proof of identity is needed first.
    ProveFirst {
        /// Where to go on afterwards.
        next: String,
    },
    /// It was done too often.
    TooMany {
        /// Seconds until it may be done again.
        wait: i64,
    },
    /// WeChat has not told who pays.
    NoPayer,
    /// The visitor came back from WeChat without a visit that this session began.
    WeChatState,
    /// WeChat does not know the code that the visitor brought.
    WeChatRefused,
    /// WeChat gives no sure answer.
    WeChatSilent,
    /// This machine has no font to set a document in.
    NoPdf {
        /// The page that says the same.
        page: String,
    },
    /// It took too long.
    Deadline,
    /// A row cannot be read or a page cannot be made; the cause stands in the log.
    Internal,
}

/// What is said of the money.
#[derive(Clone, Copy)]
enum Money {
    /// Nothing moved.
    Still,
    /// Whatever was paid will be credited by itself.
    Safe,
}

struct Told {
    status: StatusCode,
    code: &'static str,
    /// Part of the texts' keys.
    slug: &'static str,
    money: Money,
    /// Where to go on, and what the link says.
    way: (&'static str, &'static str),
}

const HOME: (&str, &str) = ("/", "failure-way-home");
const TOP_UP: (&str, &str) = ("/me/topup", "failure-way-topup");
const RECORDS: (&str, &str) = ("/me/records", "failure-way-records");
const TOKENS: (&str, &str) = ("/me/security/tokens", "failure-way-tokens");

impl Failure {
    /// The password's door is locked, and it is known for how long.
    pub(crate) fn locked(locked: &Locked, now: Micros) -> Failure {
        let left = locked.until.since(now);
        Failure::Until { words: locked.words(), wait: (left.saturating_add(999_999) / 1_000_000).max(1) }
    }

    fn told(&self) -> Told {
        use Money::{Safe, Still};
        let told = |status, code, slug, money, way| Told { status, code, slug, money, way };
        match self {
            Failure::Words(words) => {
                let money = if words.code == "STOPPING" { Safe } else { Still };
                told(status_of(words.code), words.code, "words", money, HOME)
            }
            Failure::Until { words, .. } => told(status_of(words.code), words.code, "words", Still, HOME),
            Failure::SignInFirst { .. } => told(
                StatusCode::UNAUTHORIZED,
                "SIGN_IN_REQUIRED",
                "sign-in",
                Still,
                ("/sign-in", "failure-way-sign-in"),
            ),
            Failure::ChangeFirst { .. } => told(
                StatusCode::FORBIDDEN,
                "PASSWORD_CHANGE_REQUIRED",
                "change",
                Still,
                ("/password", "failure-way-password"),
            ),
            Failure::NotFound => told(StatusCode::NOT_FOUND, "NOT_FOUND", "not-found", Still, HOME),
            Failure::NotAllowed => told(StatusCode::METHOD_NOT_ALLOWED, "NOT_ALLOWED", "not-allowed", Still, HOME),
            Failure::TooLarge => told(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "too-large", Still, HOME),
            Failure::Malformed | Failure::MalformedAt(_) => {
                told(StatusCode::BAD_REQUEST, "MALFORMED", "malformed", Still, HOME)
            }
            Failure::MediaType => told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "MEDIA_TYPE", "media-type", Still, HOME),
            Failure::NotAcceptable => told(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", "not-acceptable", Still, HOME),
            Failure::TooSlow => told(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", "too-slow", Still, HOME),
            Failure::KeyConflict => told(StatusCode::CONFLICT, "IDEMPOTENCY_CONFLICT", "key-conflict", Still, RECORDS),
            Failure::TokenInvalid => told(StatusCode::UNAUTHORIZED, "TOKEN_INVALID", "token", Still, TOKENS),
            Failure::ScopeMissing { .. } => told(StatusCode::FORBIDDEN, "SCOPE_MISSING", "scope", Still, TOKENS),
            Failure::ForeignOrigin => told(StatusCode::FORBIDDEN, "FOREIGN_ORIGIN", "foreign-origin", Still, HOME),
            Failure::StaleForm => told(StatusCode::FORBIDDEN, "FORM_STALE", "stale-form", Still, HOME),
            Failure::NoKey => told(StatusCode::BAD_REQUEST, "IDEMPOTENCY_KEY", "no-key", Still, TOP_UP),
            Failure::ProveFirst { .. } => {
                told(StatusCode::FORBIDDEN, "PROOF_REQUIRED", "prove", Still, ("/prove", "failure-way-prove"))
            }
            Failure::TooMany { .. } => told(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "too-many", Still, HOME),
            Failure::NoPayer => told(StatusCode::CONFLICT, "WECHAT_IDENTITY_NEEDED", "no-payer", Still, TOP_UP),
            Failure::WeChatState => told(StatusCode::FORBIDDEN, "WECHAT_STATE", "wechat-state", Still, TOP_UP),
            Failure::WeChatRefused => {
                told(StatusCode::UNPROCESSABLE_ENTITY, "WECHAT_REFUSED", "wechat-refused", Still, TOP_UP)
            }
            Failure::WeChatSilent => told(StatusCode::BAD_GATEWAY, "WECHAT_SILENT", "wechat-silent", Still, TOP_UP),
            Failure::NoPdf { .. } => {
                told(StatusCode::SERVICE_UNAVAILABLE, "PDF_UNAVAILABLE", "no-pdf", Still, ("/", "failure-way-page"))
            }
            Failure::Deadline => told(StatusCode::SERVICE_UNAVAILABLE, "DEADLINE", "deadline", Safe, RECORDS),
            Failure::Internal => told(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal", Safe, RECORDS),
        }
    }

    /// What happened, in a language.
    fn sentence(&self, language: Language, slug: &str) -> String {
        match self {
            Failure::Words(words) | Failure::Until { words, .. } => language.words(words).to_owned(),
            Failure::TooMany { wait } => language.t(format!("failure-{slug}")).with("seconds", wait).to_string(),
            _ => language.t(format!("failure-{slug}")).to_string(),
        }
    }

    /// When to ask again, if it passes by itself.
    fn wait(&self) -> Option<HeaderValue> {
        match self {
            Failure::TooMany { wait } | Failure::Until { wait, .. } => Some(HeaderValue::from(*wait)),
            _ => retry_after(self.told().code),
        }
    }

    /// The page; `reading` when the address can be asked for once more.
    fn page(&self, web: &Web, visit: &Visit, reading: bool, reference: Option<String>) -> Response {
        let language = visit.language;
        let Told { status, slug, money, way: (way, way_key), .. } = self.told();
        let way = match self {
            Failure::SignInFirst { next } => return page::go_with_next("/sign-in", next),
            Failure::ChangeFirst { next } => return page::go_with_next("/password", next),
            Failure::ProveFirst { next } => return page::go_with_next("/prove", next),
            Failure::NoPdf { page } => page.as_str(),
            _ => way,
        };
        let passes = status.is_server_error();
        let own = (way.to_owned(), language.t(way_key));
        // Coming back from WeChat counts once: it is begun anew instead.
        let again = own_path(&visit.path).filter(|path| passes && reading && !path.starts_with("/wechat/"));
        let ((way, way_text), other) = match again {
            Some(path) => ((path.to_owned(), language.t("failure-way-again")), Some(own)),
            None => (own, None),
        };
        let template = page::FailurePage {
            frame: page::Frame::new(web, visit, language.t(format!("failure-title-{slug}"))),
            sentence: self.sentence(language, slug),
            money: language.t(money.key()),
            reference,
            way,
            way_text,
            passes,
            other,
        };
        page::html(visit, status, &template)
    }

    fn problem(&self, web: &Web, visit: &Visit, reference: Option<String>) -> Response {
        let Told { status, code, slug, money, way: (way, way_key) } = self.told();
        let problem = Problem {
            kind: format!("urn:onecard:problem:{code}"),
            title: visit.language.t(format!("failure-title-{slug}")).to_string(),
            status: status.as_u16(),
            detail: self.sentence(visit.language, slug),
            code,
            zh: self.sentence(Language::Chinese, slug),
            en: self.sentence(Language::English, slug),
            money: match money {
                Money::Still => MoneyWord::NotMoved,
                Money::Safe => MoneyWord::Safe,
            },
            next: NextStep { text: visit.language.t(way_key).to_string(), address: web.config.address(way) },
            at: if let Failure::MalformedAt(at) = self { Some(at.clone()) } else { None },
            scope: if let Failure::ScopeMissing { scope } = self { *scope } else { None },
            reference,
        };
        let mut answer = problem.answer(status);
        if let Some(challenge) = self.challenge() {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }

    /// What a program could show instead (RFC 6750).
    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Failure::SignInFirst { .. } => Some(HeaderValue::from_static("Bearer realm=\"onecard\"")),
            Failure::TokenInvalid => {
                Some(HeaderValue::from_static("Bearer realm=\"onecard\", error=\"invalid_token\""))
            }
            Failure::ScopeMissing { scope } => {
                let scope = scope.map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
                let text = format!("Bearer realm=\"onecard\", error=\"insufficient_scope\"{scope}");
                HeaderValue::from_str(&text).ok()
            }
            _ => None,
        }
    }
}

impl Money {
    const fn key(self) -> &'static str {
        match self {
            Money::Still => "failure-money-still",
            Money::Safe => "failure-money-safe",
        }
    }
}

/// Who must react decides the status: the person (4xx) or the operator (5xx).
pub(crate) fn status_of(code: &str) -> StatusCode {
    match code {
        "AUTH_FAILED" | "SIGNED_OUT" => StatusCode::UNAUTHORIZED,
        "PASSWORD_LOCKED" => StatusCode::TOO_MANY_REQUESTS,
        "FORM_REUSED" => StatusCode::CONFLICT,
        "BUSY" | "SERVER_FULL" | "STOPPING" | "TRY_AGAIN" | "AFTER_RESTORE" => StatusCode::SERVICE_UNAVAILABLE,
        "INTERNAL" | "STATEMENT_UNSURE" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// When to ask again, seconds, for a refusal that passes by itself: a moment when a body was lost on its way or too many asked
/// at once, longer when the server comes back, and longest when an operator must make room or install a font.
fn retry_after(code: &str) -> Option<HeaderValue> {
    let seconds = match code {
        "BODY_TOO_SLOW" => "1",
        "BUSY" | "TRY_AGAIN" => "2",
        "DEADLINE" => "5",
        "STOPPING" | "AFTER_RESTORE" => "10",
        "SERVER_FULL" => "60",
        "PDF_UNAVAILABLE" => "3600",
        _ => return None,
    };
    Some(HeaderValue::from_static(seconds))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.told().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Words> for Failure {
    fn from(words: Words) -> Failure {
        Failure::Words(words)
    }
}

impl From<ReadFault> for Failure {
    fn from(fault: ReadFault) -> Failure {
        tracing::error!(%fault, "a page could not be made: committed rows could not be read");
        Failure::Internal
    }
}

impl From<TooOften> for Failure {
    fn from(TooOften { wait }: TooOften) -> Failure {
        Failure::TooMany { wait }
    }
}

impl From<SealBroken> for Failure {
    fn from(fault: SealBroken) -> Failure {
        tracing::error!(%fault, "a page could not be made: personal data could not be opened");
        Failure::Internal
    }
}

impl From<Unavailable> for Failure {
    fn from(why: Unavailable) -> Failure {
        tracing::error!(%why, "a request could not be decided");
        Failure::Words(why.words())
    }
}

/// The boundary itself: gives every answer its deadline, and every failure its face.
pub(crate) async fn boundary(web: &Web, request: Request, next: Next) -> Response {
    let mut visit = Visit::read(web, request.uri(), request.headers());
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let formed = page_before(&web.config.base_url, request.headers()).unwrap_or_default().to_owned();
    let answer = match tokio::time::timeout(DEADLINE, own_origin(web, request, next)).await {
        Ok(answer) => answer,
        Err(_) => Failure::Deadline.into_response(),
    };
    let Some(failure) = failure_in(&answer) else { return answer };
    let allow = answer.headers().get(header::ALLOW).cloned();
    let reference = failure.told().status.is_server_error().then(|| {
        let reference = format!("{:08x}", u32::from_be_bytes(web.school.random()));
        tracing::error!(%reference, path = %visit.path, ?failure, "request {reference} failed");
        reference
    });
    let program = visit.path.starts_with("/api/") || visit.path.starts_with("/notify/");
    if !reading {
        // What was sent cannot be asked for again: the page's switches lead to where one can go on.
        (visit.path, visit.query) = ("/".to_owned(), None);
    }
    let wait = failure.wait();
    let mut face = match failure {
        failure if program => failure.problem(web, &visit, reference),
        // Only a page that was read can be gone on to: that on which the form stood.
        Failure::SignInFirst { .. } if !reading => page::go_with_next("/sign-in", &formed),
        Failure::ChangeFirst { .. } if !reading => page::go_with_next("/password", &formed),
        failure => failure.page(web, &visit, reading, reference),
    };
    if let Some(wait) = wait {
        face.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    if let Some(allow) = allow {
        face.headers_mut().insert(header::ALLOW, allow);
    }
    face
}

/// The failure that an answer stands for: a handler's, or one that the framework found before any handler.
fn failure_in(answer: &Response) -> Option<Failure> {
    if let Some(failure) = answer.extensions().get::<Failure>() {
        return Some(failure.clone());
    }
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) || has_face(answer.headers()) {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => Failure::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Failure::NotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
        status if status.is_client_error() => Failure::Malformed,
        _ => Failure::Internal,
    })
}

fn has_face(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html") || kind.contains("json")
}

/// Lets a changing request through only if it comes from a page of ours. Old web views send no `Sec-Fetch` headers, so
/// `Origin` counts, else `Referer`. Notices come from no page: they carry no cookie and are proved by their signature.
async fn own_origin(web: &Web, request: Request, next: Next) -> Response {
    if let Err(too_often) = web.doors.request(request.uri().path(), request.headers(), web) {
        return Failure::from(too_often).into_response();
    }
    let (path, headers) = (request.uri().path(), request.headers());
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // A token is no cookie: no page of another site can send it.
    let proved = path.starts_with("/notify/") || api::bearer::shown(path, headers);
    if !(safe || proved || comes_from(&web.config.base_url, headers)) {
        return Failure::ForeignOrigin.into_response();
    }
    // What is answered by nobody is refused for that, whatever it sends.
    if safe || (path.starts_with(api::ROOT) && api::asked(&request).is_none()) {
        return api::run(web, request, next).await;
    }
    let told = path.starts_with("/notify/");
    match whole(request).await {
        Ok(request) => api::run(web, request, next).await,
        Err(failure) if told => notice::not_read(&failure),
        Err(failure) => failure.into_response(),
    }
}

/// The request with its body read to the end, so that nobody who sends slowly keeps a handler waiting until its deadline.
///
/// Errors: `TooSlow`, `TooLarge`; nothing was done.
async fn whole(request: Request) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(_)) => Err(Failure::TooLarge),
        Err(_) => Err(Failure::TooSlow),
    }
}

/// The page of ours that this request comes from, if the browser tells.
pub(crate) fn page_before<'a>(origin: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    own_address(headers.get(header::REFERER)?.to_str().ok()?.strip_prefix(origin)?)
}

fn comes_from(origin: &str, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(header::ORIGIN), text(header::REFERER)) {
        (Some(given), _) => given == origin,
        (None, Some(page)) => page.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/')),
        (None, None) => false,
    }
}

/// The place to go on to, if it is one of ours and not where one arrives anyway.
pub(crate) fn next_of(asked: &str) -> Option<&str> {
    own_address(asked).filter(|address| !["/", "/me"].contains(address))
}

#[cfg(test)]
mod tests {
    use flows::school::fault_words;
    use rules::card;
    use rules::top_up::OpenRefusal;
    use teller::Fault;

    use super::*;

    /// Every failure but words of the rules.
    fn own() -> Vec<Failure> {
        let next = String::new;
        vec![
            Failure::SignInFirst { next: next() },
            Failure::ChangeFirst { next: next() },
            Failure::NotFound,
            Failure::NotAllowed,
            Failure::TooLarge,
            Failure::Malformed,
            Failure::MalformedAt("line 1".to_owned()),
            Failure::MediaType,
            Failure::NotAcceptable,
            Failure::TooSlow,
            Failure::KeyConflict,
            Failure::TokenInvalid,
            Failure::ScopeMissing { scope: Some("read") },
            Failure::ForeignOrigin,
            Failure::StaleForm,
            Failure::NoKey,
            Failure::ProveFirst { next: next() },
            Failure::TooMany { wait: 3 },
            Failure::NoPayer,
            Failure::WeChatState,
            Failure::WeChatRefused,
            Failure::WeChatSilent,
            Failure::NoPdf { page: next() },
            Failure::Deadline,
            Failure::Internal,
        ]
    }

    #[test]
    fn every_failure_says_what_happened_where_the_money_is_and_what_to_do() {
        for failure in own() {
            let told = failure.told();
            for language in [Language::Chinese, Language::English] {
                let texts = [
                    language.t(format!("failure-title-{}", told.slug)).to_string(),
                    failure.sentence(language, told.slug),
                    language.t(told.money.key()).to_string(),
                    language.t(told.way.1).to_string(),
                ];
                assert!(texts.iter().all(|text| !text.starts_with("failure-")), "{failure:?}: {texts:?}");
            }
            assert_eq!(api::codes::status(told.code), told.status, "what programs are told of {}", told.code);
            let passes = matches!(told.status.as_u16(), 408 | 429 | 503);
            assert_eq!(failure.wait().is_some(), passes, "{}: what passes says when to ask again", told.code);
        }
    }

    #[test]
    fn whatever_passes_says_when_to_ask_again() {
        let known = |code| ["RATE_LIMITED", "PASSWORD_LOCKED"].contains(&code);
        for (status, code) in api::TABLES.iter().copied().flatten().flat_map(api::codes::of) {
            let passes = api::codes::passes(status);
            assert_eq!(retry_after(code).is_some() || known(code), passes, "{code}");
        }
        let now = Micros::from_seconds(1_000);
        let counted =
            rules::password::Password { secret: rules::password::Secret::Initial, tries: 5, locked_until: None };
        for (left, wait) in [(1_800_000_000, 1_800), (1_000_001, 2), (0, 1)] {
            let locked = Locked { counted: counted.clone(), until: Micros::new(now.get() + left) };
            assert_eq!(Failure::locked(&locked, now).wait(), Some(HeaderValue::from(wait)));
        }
    }

    #[test]
    fn words_of_the_rules_keep_their_code_and_both_sentences() {
        let amount = ledger::Fen::new(100);
        let refusals = [
            (OpenRefusal::Text(ledger::AmountText::Empty), 422),
            (OpenRefusal::TooLittle(amount), 422),
            (OpenRefusal::AccountClosed, 422),
            (OpenRefusal::NoCard, 422),
            (OpenRefusal::Card(card::Refusal::State(card::State::Lost)), 422),
            (OpenRefusal::ApprovalRequired(amount), 422),
            (OpenRefusal::PerOrder(amount), 422),
            (OpenRefusal::Daily { left: amount }, 422),
            (OpenRefusal::BalanceCap { room: amount, kept: amount }, 422),
            (OpenRefusal::NumberTaken, 503),
        ];
        let faults =
            [(Fault::Busy, 503), (Fault::Full, 503), (Fault::Stopping, 503), (Fault::Poison("a bug".to_owned()), 500)];
        let restored = [(rules::epoch::not_asked_yet(), 503)];
        let rules = refusals.iter().map(|(refusal, status)| (refusal.words(), *status)).chain(restored);
        let server = faults.iter().map(|(fault, status)| (fault_words(fault), *status));
        for (words, status) in rules.chain(server) {
            let failure = Failure::from(words.clone());
            let told = failure.told();
            assert_eq!((told.code, told.status.as_u16()), (words.code, status));
            assert_eq!(failure.sentence(Language::Chinese, told.slug), words.zh);
            assert_eq!(failure.sentence(Language::English, told.slug), words.en);
            let safe = matches!(told.money, Money::Safe);
            assert_eq!(safe, words.code == "STOPPING", "only a stopping server leaves it open whether it was done");
            let passes = told.status == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(
                retry_after(told.code).is_some(),
                passes,
                "{}: whatever passes says when to ask again",
                told.code
            );
        }
    }

    #[test]
    fn t16_only_our_own_pages_may_change_anything() {
        let ours = "https://card.example.edu.cn";
        let table: [(&[(header::HeaderName, &str)], bool); 9] = [
            (&[(header::ORIGIN, ours)], true),
            (&[(header::ORIGIN, ours), (header::REFERER, "https://evil.example/")], true),
            (&[(header::REFERER, "https://card.example.edu.cn/me/topup")], true),
            (&[], false),
            (&[(header::ORIGIN, "null")], false),
            (&[(header::ORIGIN, "https://card.example.edu.cn.evil.example")], false),
            (&[(header::ORIGIN, "http://card.example.edu.cn")], false),
            (&[(header::ORIGIN, "https://evil.example"), (header::REFERER, "https://card.example.edu.cn/")], false),
            (&[(header::REFERER, "https://card.example.edu.cn.evil.example/")], false),
        ];
        for (pairs, allowed) in table {
            let headers: HeaderMap =
                pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            assert_eq!(comes_from(ours, &headers), allowed, "{pairs:?}");
        }
    }
}
