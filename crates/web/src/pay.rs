//! Paying an order inside WeChat (R27; WeChat Pay API v3, JSAPI front end).
//!
//! Always a full page load under `/pay/`: the payment directory is registered with the provider, and iOS compares the
//! address that was loaded first. What the bridge says proves nothing, so every way out leads to the tracker.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::ports::Bridge;
use flows::top_up::{Payable, Way, prepare};
use rules::ids::OrderNo;
use rules::top_up::Order;

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame, encoded};
use crate::text::Yuan;
use crate::visit::{Holder, Visit};

#[derive(Template)]
#[template(path = "pay.html")]
struct PayPage {
    frame: Frame,
    number: String,
    amount: Yuan,
    until: String,
    /// None outside WeChat, and when the provider gives no sure answer at the moment.
    payment: Option<Payment>,
    /// The address that calls WeChat from a phone's browser.
    address: Option<String>,
    /// The text of the code that a phone scans.
    code: Option<String>,
    in_wechat: bool,
    /// Nobody has WeChat here: the sandbox stands for it.
    demo: bool,
}

struct Payment {
    bridge: Bridge,
    /// The sandbox's cashier, in the demo.
    cashier: Option<String>,
    /// This very page, to be opened inside WeChat.
    address: String,
}

/// `GET /pay/{order}`: told to the provider once, however often it is loaded; an order that cannot be paid goes to its
/// tracker, which says why.
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Holder,
    Path(order): Path<String>,
) -> Result<Response, Failure> {
    let no = OrderNo::parse(&order).map_err(|_| Failure::NotFound)?;
    let visit = &holder.visit;
    match prepare(&web.school, holder.person, no).await?.ok_or(Failure::NotFound)? {
        Payable::No(_) => Ok(page::see_other(&format!("/me/orders/{no}"))),
        Payable::Later(order) => Ok(show(&web, visit, &order, Shown::Nothing)),
        Payable::Now { order, way: Way::Bridge { bridge, prepay_id } } => {
            let cashier = web.config.cashier.as_deref().map(|base| cashier(&web, visit, base, no, &bridge, &prepay_id));
            let address = web.config.address(&format!("/pay/{no}"));
            Ok(show(&web, visit, &order, Shown::Bridge(Payment { bridge, cashier, address })))
        }
        Payable::Now { order, way: Way::Address(address) } => Ok(show(&web, visit, &order, Shown::Address(address))),
        Payable::Now { order, way: Way::Code(code) } => Ok(show(&web, visit, &order, Shown::Code(code))),
    }
}

/// What the page offers.
enum Shown {
    /// The provider gives no sure answer at the moment.
    Nothing,
    Bridge(Payment),
    Address(String),
    Code(String),
}

fn show(web: &Web, visit: &Visit, order: &Order, shown: Shown) -> Response {
    let (payment, address, code) = match shown {
        Shown::Nothing => (None, None, None),
        Shown::Bridge(payment) => (Some(payment), None, None),
        Shown::Address(address) => (None, Some(address), None),
        Shown::Code(code) => (None, None, Some(code)),
    };
    let page = PayPage {
        frame: Frame::new(web, visit, visit.language.t("pay-title")).below("/me"),
        number: order.no.to_string(),
        amount: Yuan(order.amount),
        until: visit.language.moment(order.expires_at),
        payment,
        address,
        code,
        in_wechat: visit.in_wechat,
        demo: web.config.cashier.is_some(),
    };
    page::html(visit, StatusCode::OK, &page)
}

/// The sandbox's cashier with what the bridge would be given, so that it checks our signature as WeChat does.
fn cashier(web: &Web, visit: &Visit, base: &str, no: OrderNo, bridge: &Bridge, prepay_id: &str) -> String {
    let back = web.config.address(&format!("/me/orders/{no}"));
    let values = [
        ("return", back.as_str()),
        ("lang", visit.language.tag()),
        ("appId", &bridge.app_id),
        ("timeStamp", &bridge.time_stamp),
        ("nonceStr", &bridge.nonce_str),
        ("package", &bridge.package),
        ("signType", "RSA"),
        ("paySign", &bridge.pay_sign),
    ];
    let query: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("{}/cashier/{}?{}", base.trim_end_matches('/'), encoded(prepay_id), query.join("&"))
}
