use tracing::info;

use super::book::{PayRefusal, Payment, Ticket};
use super::notification::TransactionNotice;
use crate::random;
use crate::sandbox::Sandbox;

/// The payer pays: the order becomes paid and its notice goes on its way as the switches say.
///
/// Errors, in order: `Unknown`, `Closed`, `Expired`, `Unsaved` (unknown outcome: look again).
/// Repeats: pays nothing again and sends no second notice.
pub(crate) fn pay(sandbox: &Sandbox, ticket: Ticket<'_>) -> Result<Payment, PayRefusal> {
    let now = sandbox.clock().now();
    let fresh_id = random::transaction_id(now);
    let payment = sandbox.change(|records| {
        let payment = records.wechat.pay(ticket, &fresh_id, now)?;
        if payment.fresh
            && let Some(order) = records.wechat.by_number(&payment.out_trade_no)
        {
            let (mode, content) = (records.switches.take(), TransactionNotice::of(order, now));
            records.notices.add(mode, &payment.out_trade_no, &order.asked.notify_url, &content, now);
        }
        Ok::<_, PayRefusal>(payment)
    })?;
    if payment.fresh {
        let (number, transaction) = (&payment.out_trade_no, &payment.transaction_id);
        info!(order.no = %number, %transaction, "order {number} is paid");
        sandbox.wake();
    }
    Ok(payment)
}
