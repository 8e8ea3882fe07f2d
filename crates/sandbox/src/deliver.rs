//! The background half: sends the notices that are due.

use std::convert::Infallible;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::notice::{Notice, Outcome};
use crate::records::Unsaved;
use crate::sandbox::Sandbox;
use crate::traffic::{Exchange, Told};
use crate::wechat::{advance, compose};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 64;
const SHOWN_ANSWER: usize = 300;
/// The clock may be moved by hand, so it is looked at now and then even when nothing is due for long.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The client that calls notify addresses: it follows no redirect and asks no proxy, as the platform would not.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Building a client without a process-wide provider panics. Where one is installed already, it stays.
    let _installed_earlier = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent("onecard-sandbox (Mozilla/4.0)")
        .build()
}

impl Sandbox {
    /// Sends notices when they are due, for as long as the future is polled.
    ///
    /// Shape: at most 64 at once, each with five seconds to be answered; a slow address holds up no other.
    /// Repeats: dropping the future loses nothing; a notice whose answer was not seen is sent again by the next run.
    /// [`Sandbox::serve`] runs it; only who mounts [`Sandbox::router`] elsewhere calls it.
    pub async fn run_notices(&self) -> Infallible {
        let mut flying = JoinSet::new();
        loop {
            self.advance();
            while flying.len() < AT_ONCE
                && let Some((id, notice)) = self.take_due()
            {
                let sandbox = self.clone();
                flying.spawn(async move { sandbox.deliver(id, notice).await });
            }
            let nap = if flying.len() < AT_ONCE { self.until_next() } else { LONGEST_NAP };
            tokio::select! {
                () = self.woken() => {}
                Some(_) = flying.join_next() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Sends every notice that is due now, once, and returns when each is answered or timed out; the count of tries.
    ///
    /// For tests that move the clock by hand and run no background task.
    pub async fn deliver_due(&self) -> usize {
        self.advance();
        let mut flying = JoinSet::new();
        while let Some((id, notice)) = self.take_due() {
            let sandbox = self.clone();
            flying.spawn(async move { sandbox.deliver(id, notice).await });
        }
        flying.join_all().await.len()
    }

    /// Ends the refunds whose time has come; in the dark they wait.
    fn advance(&self) {
        let now = self.clock().now();
        let due = self.look(|records| records.wechat.next_change().is_some_and(|at| at <= now));
        if due && !self.dark() {
            let saved: Result<(), Unsaved> = self.change(|records| {
                advance(self, records);
                Ok(())
            });
            if saved.is_err() {
                warn!("the end of a refund is not written down");
            }
        }
    }

    fn dark(&self) -> bool {
        let now = self.clock().now();
        self.look(|records| records.switches.dark_until(now)).is_some()
    }

    fn take_due(&self) -> Option<(u64, Notice)> {
        if self.dark() {
            return None;
        }
        let now = self.clock().now();
        // Taking changes the index alone, which no file keeps.
        self.touch(|records| records.notices.take_due(now))
    }

    fn until_next(&self) -> Duration {
        if self.dark() {
            return LONGEST_NAP;
        }
        let now = self.clock().now();
        let next =
            self.look(|records| records.notices.next_due().into_iter().chain(records.wechat.next_change()).min());
        let wait = next.map(|due_at| due_at.since(now).max(0));
        wait.and_then(|micros| u64::try_from(micros).ok()).map_or(LONGEST_NAP, Duration::from_micros).min(LONGEST_NAP)
    }

    async fn deliver(&self, id: u64, notice: Notice) {
        let (headers, body) = compose(self, &notice.content, notice.probe);
        let mut request = self.client().post(&notice.url).header(CONTENT_TYPE, "application/json").body(body.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let (outcome, said) = match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                (Outcome::Answered(status), beginning(answer).await)
            }
            Err(error) if error.is_timeout() => (Outcome::TimedOut, String::new()),
            Err(_) => (Outcome::NoConnection, String::new()),
        };
        let told = match outcome {
            Outcome::Answered(status) => Told::Answer { status, body: said.clone() },
            Outcome::TimedOut | Outcome::NoConnection => Told::Nothing,
        };
        let exchange = Exchange::went_out(self.clock().now(), &notice.url, body.as_bytes(), told);
        self.touch(|records| records.traffic.add(exchange));

        let (number, tries) = (&notice.out_trade_no, notice.tries.len() + 1);
        if notice.probe && outcome.accepted() {
            warn!(order.no = %number, "a wrongly signed probe for order {number} was accepted: signatures are not checked");
        } else if notice.probe {
            info!(order.no = %number, "a wrongly signed probe for order {number} was refused, as it should be");
        } else if outcome.accepted() {
            info!(order.no = %number, tries, "the notice of order {number} was accepted");
        } else {
            warn!(order.no = %number, tries, ?outcome, "the notice of order {number} was not accepted");
        }
        let (now, speed) = (self.clock().now(), self.setup().retry_speed);
        let saved: Result<(), Unsaved> = self.change(|records| {
            records.notices.record(id, outcome, said, now, speed);
            Ok(())
        });
        if saved.is_err() {
            // In memory the try stands and the schedule goes on; a restart would send this notice once more.
            warn!(order.no = %number, "a try of order {number}'s notice is not written down");
        }
    }
}

/// The first few hundred bytes of an answer, as text.
async fn beginning(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < SHOWN_ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(SHOWN_ANSWER);
    String::from_utf8_lossy(&bytes).into_owned()
}
