//! Everything that the operator's pages show, for a program. It names no payer.

use axum::Json;
use axum::extract::State;
use ledger::Micros;
use serde_json::{Value, json};

use super::orders::WECHAT;
use crate::beijing;
use crate::notice::{Notice, NoticeState, Outcome};
use crate::records::Records;
use crate::sandbox::Sandbox;
use crate::wechat::{self, Order, OrderState, Payment, Refund, Scene, Ticket};

/// `GET /control/state`
pub(crate) async fn state(State(sandbox): State<Sandbox>) -> Json<Value> {
    let now = sandbox.clock().now();
    Json(sandbox.look(|records| {
        json!({
            "now": beijing::rfc3339(now),
            "address": sandbox.setup().address,
            "switches": records.switches.json(),
            "dark_until": records.switches.dark_until(now).map(beijing::rfc3339),
            "balance_fen": records.wechat.balance(),
            "notices_waiting": records.notices.waiting(),
            "orders": records.wechat.newest_first().into_iter().map(|order| order_json(order, records, now))
                .collect::<Vec<_>>(),
            "menu": records.account.menu,
            "messages": records.account.newest_first().map(super::account::message_json).collect::<Vec<_>>(),
        })
    }))
}

fn order_json(order: &Order, records: &Records, now: Micros) -> Value {
    let (state, transaction_id, paid_at) = match &order.state {
        OrderState::NotPaid => ("NOTPAY", None, None),
        OrderState::Paying => ("PAYING", None, None),
        OrderState::Failed => ("PAYERROR", None, None),
        OrderState::Paid { transaction_id, paid_at } => ("SUCCESS", Some(transaction_id), Some(*paid_at)),
        OrderState::Closed { .. } => ("CLOSED", None, None),
    };
    let (asked, book) = (&order.asked, &records.wechat);
    json!({
        "provider": WECHAT,
        "out_trade_no": asked.out_trade_no,
        "description": asked.description,
        "amount_fen": asked.amount.total.get(),
        "trade_type": order.scene.trade_type(),
        "state": state,
        "payable": book.payable(Ticket::Number(&asked.out_trade_no), now).is_ok(),
        "prepay_id": order.prepay_id,
        "code_url": (order.scene == Scene::Native).then(|| wechat::code_url(&order.prepay_id)),
        "transaction_id": transaction_id,
        "created_at": beijing::rfc3339(order.created_at),
        "expires_at": beijing::rfc3339(order.expires_at),
        "paid_at": paid_at.map(beijing::rfc3339),
        "payments": book.payments_of(&asked.out_trade_no).map(payment_json).collect::<Vec<_>>(),
        "refunds": book.refunds_of(&asked.out_trade_no).into_iter().map(refund_json).collect::<Vec<_>>(),
        "notices": records.notices.of_order(&asked.out_trade_no).map(notice_json).collect::<Vec<_>>(),
    })
}

fn payment_json(payment: &Payment) -> Value {
    json!({
        "transaction_id": payment.transaction_id,
        "paid_at": beijing::rfc3339(payment.paid_at),
        "total_fen": payment.total.get(),
        "currency": payment.currency,
        "fee_fen": payment.fee.get(),
    })
}

fn refund_json(refund: &Refund) -> Value {
    json!({
        "out_refund_no": refund.asked.out_refund_no,
        "refund_id": refund.refund_id,
        "transaction_id": refund.transaction_id,
        "amount_fen": refund.amount().get(),
        "status": refund.status().word(),
        "created_at": beijing::rfc3339(refund.created_at),
        "success_at": refund.arrived_at().map(beijing::rfc3339),
    })
}

fn notice_json(notice: &Notice) -> Value {
    let (state, next_at) = match notice.state {
        NoticeState::Waiting { due_at } => ("waiting", Some(beijing::rfc3339(due_at))),
        NoticeState::Held { until } => ("held", Some(beijing::rfc3339(until))),
        NoticeState::Delivered => ("delivered", None),
        NoticeState::Refused => ("refused", None),
        NoticeState::GivenUp => ("given_up", None),
        NoticeState::Lost => ("lost", None),
    };
    let attempts = notice.tries.iter().map(|one| {
        let (status, error) = match one.outcome {
            Outcome::Answered(status) => (Some(status), None),
            Outcome::TimedOut => (None, Some("timed_out")),
            Outcome::NoConnection => (None, Some("no_connection")),
        };
        json!({ "at": beijing::rfc3339(one.at), "status": status, "error": error, "answer": one.said })
    });
    json!({
        "id": notice.content.id(),
        "event_type": notice.content.event(),
        "out_refund_no": notice.content.out_refund_no,
        "probe": notice.probe,
        "notify_url": notice.url,
        "state": state,
        "next_at": next_at,
        "attempts": attempts.collect::<Vec<_>>(),
    })
}
