//! Paying an order: inside WeChat through its bridge, from a phone's browser through an address, or from another screen
//! through a code to scan (R27; WeChat Pay API v3: JSAPI, H5, Native).
//!
//! Always a full page load under `/pay/`: the payment directory is registered with the provider, and iOS compares the
//! address that was loaded first. What the bridge or the browser says proves nothing, so every way out leads to the tracker.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::ports::Bridge;
use flows::top_up::{Payable, Way, prepare};
use qrcode::{Color, EcLevel, QrCode};
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
    /// None when the provider gives no sure answer at the moment.
    payment: Option<Payment>,
    in_wechat: bool,
    /// Nobody has WeChat here: the sandbox stands for it.
    demo: bool,
}

impl PayPage {
    /// Whether the amount stands with the code that is scanned, as one picture.
    fn scanned(&self) -> bool {
        matches!(self.payment, Some(Payment::Scan { .. }))
    }
}

/// How this page brings the payer to pay.
enum Payment {
    /// Through WeChat's bridge, which is only there inside WeChat.
    Bridge {
        bridge: Bridge,
        /// The sandbox's cashier, in the demo.
        cashier: Option<String>,
        /// This very page, to be opened inside WeChat.
        address: String,
    },
    /// Through an address that calls WeChat.
    Call { address: String },
    /// Through a code that a phone scans.
    Scan {
        picture: Picture,
        /// The sandbox's camera, in the demo.
        camera: Option<String>,
    },
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
        Payable::Later(order) => Ok(show(&web, visit, &order, None)),
        Payable::Now { order, way } => {
            let payment = payment(&web, visit, no, way).ok_or(Failure::Internal)?;
            Ok(show(&web, visit, &order, Some(payment)))
        }
    }
}

/// `None` when the code is too long for a picture; no provider makes such.
fn payment(web: &Web, visit: &Visit, no: OrderNo, way: Way) -> Option<Payment> {
    let sandbox = web.config.cashier.as_deref().map(|base| base.trim_end_matches('/'));
    let tracker = web.config.address(&format!("/me/orders/{no}"));
    Some(match way {
        Way::Bridge { bridge, prepay_id } => {
            let cashier = sandbox.map(|base| cashier(visit, base, &tracker, &bridge, &prepay_id));
            Payment::Bridge { bridge, cashier, address: web.config.address(&format!("/pay/{no}")) }
        }
        Way::Address(address) => {
            let joint = if address.contains('?') { '&' } else { '?' };
            Payment::Call { address: format!("{address}{joint}redirect_url={}", encoded(&tracker)) }
        }
        Way::Code(code) => {
            let camera =
                sandbox.map(|base| format!("{base}/scan?code={}&lang={}", encoded(&code), visit.language.tag()));
            Payment::Scan { picture: picture(&code)?, camera }
        }
    })
}

/// A code as a drawing: black on white with its quiet zone, whatever the page's colours are.
struct Picture {
    /// Width and height, in modules.
    size: usize,
    /// The dark modules, row by row, as the data of a path.
    dark: String,
}

/// Light modules around a code that a camera needs. Source: ISO/IEC 18004.
const QUIET_ZONE: usize = 4;

fn picture(code: &str) -> Option<Picture> {
    let code = QrCode::with_error_correction_level(code, EcLevel::M).ok()?;
    let (width, colors) = (code.width(), code.to_colors());
    let mut dark = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|left, right| left == right) {
            if run.first() == Some(&Color::Dark) {
                let length = run.len();
                // Writing to a String does not fail.
                let _written = write!(dark, "M{} {}h{length}v1h-{length}z", x + QUIET_ZONE, y + QUIET_ZONE);
            }
            x += run.len();
        }
    }
    Some(Picture { size: width + 2 * QUIET_ZONE, dark })
}

fn show(web: &Web, visit: &Visit, order: &Order, payment: Option<Payment>) -> Response {
    let page = PayPage {
        frame: Frame::new(web, visit, visit.language.t("pay-title")).below("/me"),
        number: order.no.to_string(),
        amount: Yuan(order.amount),
        until: visit.language.moment(order.expires_at),
        payment,
        in_wechat: visit.in_wechat,
        demo: web.config.cashier.is_some(),
    };
    page::html(visit, StatusCode::OK, &page)
}

/// The sandbox's cashier with what the bridge would be given, so that it checks our signature as WeChat does.
fn cashier(visit: &Visit, base: &str, tracker: &str, bridge: &Bridge, prepay_id: &str) -> String {
    let values = [
        ("return", tracker),
        ("lang", visit.language.tag()),
        ("appId", &bridge.app_id),
        ("timeStamp", &bridge.time_stamp),
        ("nonceStr", &bridge.nonce_str),
        ("package", &bridge.package),
        ("signType", "RSA"),
        ("paySign", &bridge.pay_sign),
    ];
    let query: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("{base}/cashier/{}?{}", encoded(prepay_id), query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_becomes_a_drawing_with_its_quiet_zone_and_one_without_end_becomes_none() {
        let drawing = picture("weixin://wxpay/bizpayurl?pr=p4lpSuKzz").expect("it is short");
        // Version 3: 29 modules, four light ones on every side; the first row begins with the seven of a finder.
        assert_eq!((drawing.size, drawing.dark.starts_with("M4 4h7v1h-7z")), (29 + 8, true), "{}", drawing.dark);
        assert!(picture(&"x".repeat(5_000)).is_none());
    }
}
