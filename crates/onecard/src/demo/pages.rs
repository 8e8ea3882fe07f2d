//! The demo's start page, its list of people, and the virtual POS.

use std::path::PathBuf;
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use device::agent::display::Lamp;
use device::agent::sound::Sound;
use device::agent::words;
use flows::records::records;
use flows::{School, people};
use ledger::Fen;
use pay::wechat::WeChatPay;
use report::document::typeface::Typefaces;
use rules::ids::PersonId;
use serde::{Deserialize, Serialize};
use web::guide::{GuideConfig, OwnTexts, Service};

use super::before::FIRST_SETTLED;
use super::pos::{self, Counter, PULLS, Shows, key};
use super::setup::{Folder, first_people};
use super::text::{Lang, Look, Texts};
use super::tour;
use crate::Failure;
use crate::card_office::card_number;

/// How many people the start page names.
pub(super) const SHOWN: u32 = 3;
/// How many cards lie beside the virtual POS.
const CARDS: u32 = 6;

/// What the demo's pages need.
#[derive(Clone)]
pub struct Demo {
    pub(super) school: School,
    /// Folder of the book.
    pub(super) data: PathBuf,
    /// Held by whoever checks the book.
    pub(super) verifying: Arc<tokio::sync::Mutex<()>>,
    counters: Arc<Vec<Counter>>,
    /// Held by whoever moves a card: a card is in one hand.
    hand: Arc<tokio::sync::Mutex<()>>,
    pub(super) people: Arc<Vec<PersonId>>,
    cards: Arc<PathBuf>,
    pub(super) sandbox: Arc<str>,
    /// Some people have been here for weeks.
    pub(super) has_past: bool,
}

/// A person of the demo, as `/demo/people.json` gives it.
#[derive(Serialize)]
pub(super) struct Person {
    pub(super) number: String,
    pub(super) name: String,
    pub(super) initial_password: Option<String>,
    pub(super) card: String,
}

impl Demo {
    /// Looks up who is shown.
    pub async fn new(
        school: School,
        folder: &Folder,
        counters: Vec<Counter>,
        sandbox: String,
    ) -> Result<Demo, Failure> {
        let people = Arc::new(first_people(&school, CARDS).await?);
        let cards = Arc::new(folder.path().join("cards"));
        let has_past = match people.get(FIRST_SETTLED as usize) {
            Some(person) => !records(&school, *person, school.now(), 1).await?.is_empty(),
            None => false,
        };
        Ok(Demo {
            school,
            data: folder.path().to_owned(),
            verifying: Arc::default(),
            counters: Arc::new(counters),
            hand: Arc::default(),
            people,
            cards,
            sandbox: sandbox.into(),
            has_past,
        })
    }

    pub(super) async fn shown(&self, most: u32) -> Result<Vec<Person>, Failure> {
        self.persons(self.people.iter().take(most as usize)).await
    }

    /// Somebody who has been here for weeks.
    pub(super) async fn settled(&self) -> Result<Option<Person>, Failure> {
        let settled = self.people.get(FIRST_SETTLED as usize).into_iter();
        Ok(self.persons(settled).await?.pop().filter(|_| self.has_past))
    }

    async fn persons(&self, people: impl Iterator<Item = &PersonId>) -> Result<Vec<Person>, Failure> {
        let mut shown = Vec::new();
        for person in people {
            let Some(profile) = people::profile(&self.school, *person).await? else { continue };
            let revealed = people::reveal_initial_password(&self.school, *person).await?;
            let initial_password = revealed.map(|word| word.expose_for("a demo hands it to whoever tries it").clone());
            shown.push(Person {
                number: profile.number,
                name: profile.name,
                initial_password,
                card: profile.card.map(|card| card.to_string()).unwrap_or_default(),
            });
        }
        Ok(shown)
    }
}

/// What the portal is told about a demo.
pub fn web_config(address: &str, sandbox: &str, wechat: Arc<WeChatPay>) -> web::WebConfig {
    web::WebConfig {
        base_url: address.to_owned(),
        secure_cookies: false,
        school_name_zh: "示范大学".to_owned(),
        school_name_en: "Model University".to_owned(),
        wechat_authorize: Arc::new(move |redirect: &str, state: &str| wechat.authorize_url(redirect, state)),
        pay_in_phone_browser: true,
        pay_by_code: true,
        client_header: None,
        cashier: Some(sandbox.to_owned()),
        form_action_hosts: vec![sandbox.to_owned()],
        demo_link: Some("/demo".to_owned()),
        domain_checks: Vec::new(),
        guide: GuideConfig { service: service(), texts: OwnTexts::default() },
        typefaces: Typefaces::default(),
    }
}

/// The invented school's service centre.
fn service() -> Service {
    Service {
        place: Some(("学生活动中心一层 105 室".to_owned(), "Student centre, ground floor, room 105".to_owned())),
        hours: Some((
            "工作日 8:30–17:00，午间不休".to_owned(),
            "Working days 8:30–17:00, without a lunch break".to_owned(),
        )),
        phone: Some("010-0000 0000".to_owned()),
        email: Some("card@model.example".to_owned()),
    }
}

/// Addresses of the demo's own pages.
pub fn router(demo: Demo) -> Router {
    Router::new()
        .route("/demo", get(tour::start))
        .route("/demo/verify", get(tour::verify))
        .route("/demo/display", post(tour::display))
        .route("/demo/people.json", get(people_json))
        .route("/demo/pos", get(|| async { Redirect::to("/demo/pos/1") }))
        .route("/demo/pos/{id}", get(terminal))
        .route("/demo/pos/{id}/face", get(face))
        .route("/demo/pos/{id}/sale", post(sale))
        .route("/demo/pos/{id}/key", post(press))
        .route("/demo/pos/{id}/hold", post(hold))
        .route("/demo/pos/{id}/pull", post(pull))
        .route("/demo/demo.css", get(|| async { asset("text/css", include_str!("../../assets/demo.css")) }))
        .route("/demo/demo.js", get(|| async { asset("text/javascript", include_str!("../../assets/demo.js")) }))
        .layer(axum::middleware::from_fn(guard))
        .with_state(demo)
}

/// Forms come from our own pages, and a browser runs nothing else here.
async fn guard(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let foreign = headers
        .get(header::ORIGIN)
        .is_some_and(|origin| origin.to_str().is_ok_and(|origin| origin != format!("http://{host}")));
    if foreign && !request.method().is_safe() {
        return (StatusCode::FORBIDDEN, "this form came from another site\n").into_response();
    }
    let mut response = next.run(request).await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("cookie, accept-language"));
    response
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))], body).into_response()
}

pub(super) fn broken(failure: Failure) -> Response {
    tracing::error!("{}", crate::prompt::sentence(failure.as_ref()));
    (StatusCode::INTERNAL_SERVER_ERROR, "the demo could not read its school; see the terminal it runs in\n")
        .into_response()
}

pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(fault) => broken(fault.into()),
    }
}

async fn people_json(State(demo): State<Demo>) -> Response {
    match demo.shown(SHOWN).await {
        Ok(people) => {
            let pos: Vec<String> = (1..=demo.counters.len()).map(|id| format!("/demo/pos/{id}")).collect();
            let settled = demo.settled().await.ok().flatten();
            let all = serde_json::json!({
                "people": people, "with_past": settled, "sandbox": &*demo.sandbox, "pos": pos,
            });
            Json(all).into_response()
        }
        Err(failure) => broken(failure),
    }
}

#[derive(Template)]
#[template(path = "pos.html")]
struct PosPage<'a> {
    t: Texts,
    look: Look,
    id: usize,
    other: usize,
    place: &'a str,
    said: &'a str,
    face: Face,
    cards: Vec<Person>,
    pulls: Vec<(&'static str, &'static str)>,
}

/// The terminal's face alone, as the script asks for it.
#[derive(Template)]
#[template(path = "pos_face.html")]
struct FacePage {
    face: Face,
}

struct Face {
    lines: Vec<String>,
    lamp: (&'static str, String),
    reader: String,
    takings: Vec<String>,
    sound: Played,
}

/// The newest sound, for the script.
struct Played {
    number: u64,
    name: &'static str,
    /// Pitch and milliseconds of each tone: `440,200;0,100;440,200`.
    tones: String,
}

fn counter(demo: &Demo, id: usize) -> Option<&Counter> {
    demo.counters.get(id.checked_sub(1)?)
}

async fn terminal(State(demo): State<Demo>, Path(id): Path<usize>, headers: HeaderMap) -> Response {
    pos_page(&demo, id, &headers, "").await
}

async fn pos_page(demo: &Demo, id: usize, headers: &HeaderMap, said: &str) -> Response {
    let Some(counter) = counter(demo, id) else { return StatusCode::NOT_FOUND.into_response() };
    let lang = Lang::of(headers);
    let cards = match demo.shown(CARDS).await {
        Ok(cards) => cards,
        Err(failure) => return broken(failure),
    };
    page(&PosPage {
        t: Texts(lang),
        look: Look::of(headers, &format!("/demo/pos/{id}")),
        id,
        other: if id == 1 { 2 } else { 1 },
        place: lang.pick(counter.place),
        said,
        face: counter.face(lang),
        cards,
        pulls: PULLS.iter().map(|pull| (pull.name, (pull.text)(&Texts(lang)))).collect(),
    })
}

async fn face(State(demo): State<Demo>, Path(id): Path<usize>, headers: HeaderMap) -> Response {
    match counter(&demo, id) {
        Some(counter) => page(&FacePage { face: counter.face(Lang::of(&headers)) }),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Counter {
    fn face(&self, lang: Lang) -> Face {
        let Shows { lines, lamp, heard, card, takings } = self.shows(lang);
        let t = Texts(lang);
        let reader = match card {
            Some(card) => format!("{} {card}", t.card_there()),
            None => t.no_card().to_owned(),
        };
        let said = words::lamp(lamp);
        let said = if lang.is_chinese() { said.zh } else { said.en };
        let lamp = match lamp {
            Lamp::Off => ("off", said),
            Lamp::Green => ("green", said),
            Lamp::Amber => ("amber", said),
            Lamp::Red => ("red", said),
        };
        let tones = heard.sound.map_or(&[][..], Sound::pattern).iter();
        let tones: Vec<String> = tones.map(|tone| format!("{},{}", tone.hertz, tone.millis)).collect();
        let sound = Played { number: heard.number, name: heard.sound.map_or("", Sound::name), tones: tones.join(";") };
        Face { lines, lamp, reader, takings, sound }
    }
}

/// After a form: the script gets a sentence, a browser without script the page again.
async fn after(demo: &Demo, id: usize, headers: &HeaderMap, said: String) -> Response {
    if headers.contains_key("x-fragment") {
        return said.into_response();
    }
    if said.is_empty() {
        // To the display: without script the page would begin at its top, and what the card did would be out of view.
        return Redirect::to(&format!("/demo/pos/{id}#glass")).into_response();
    }
    pos_page(demo, id, headers, &said).await
}

#[derive(Deserialize)]
struct SaleForm {
    amount: String,
}

async fn sale(
    State(demo): State<Demo>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    Form(form): Form<SaleForm>,
) -> Response {
    let Some(counter) = counter(&demo, id) else { return StatusCode::NOT_FOUND.into_response() };
    let said = match Fen::parse_yuan(&form.amount) {
        Ok(amount) => {
            counter.enter_sale(amount);
            String::new()
        }
        Err(_) => Texts(Lang::of(&headers)).bad_amount().to_owned(),
    };
    after(&demo, id, &headers, said).await
}

#[derive(Deserialize)]
struct KeyForm {
    key: String,
}

async fn press(
    State(demo): State<Demo>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    Form(form): Form<KeyForm>,
) -> Response {
    let Some(counter) = counter(&demo, id) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(key) = key(&form.key) else { return StatusCode::BAD_REQUEST.into_response() };
    counter.press(key);
    after(&demo, id, &headers, String::new()).await
}

#[derive(Deserialize)]
struct HoldForm {
    card: String,
    #[serde(default)]
    pull_at: String,
}

async fn hold(
    State(demo): State<Demo>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    Form(form): Form<HoldForm>,
) -> Response {
    let Some(counter) = counter(&demo, id) else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(card) = card_number(&form.card) else { return StatusCode::BAD_REQUEST.into_response() };
    let file = demo.cards.join(format!("{card}.card"));
    let (before, held) = {
        let _hand = demo.hand.lock().await;
        let before = counter.shows(Lang::of(&headers)).heard.number;
        (before, pos::hold(&demo.counters, counter, (card, &file), &form.pull_at).await)
    };
    if held.is_ok() && !headers.contains_key("x-fragment") {
        // Without script the page shows one moment: let it be that of the outcome.
        counter.sounds_after(before).await;
    }
    let said = held.err().map(|fault| {
        tracing::error!("{}", crate::prompt::sentence(&fault));
        fault.says(&Texts(Lang::of(&headers))).to_owned()
    });
    after(&demo, id, &headers, said.unwrap_or_default()).await
}

async fn pull(State(demo): State<Demo>, Path(id): Path<usize>, headers: HeaderMap) -> Response {
    let Some(counter) = counter(&demo, id) else { return StatusCode::NOT_FOUND.into_response() };
    {
        let _hand = demo.hand.lock().await;
        counter.pull_now();
    }
    after(&demo, id, &headers, String::new()).await
}
