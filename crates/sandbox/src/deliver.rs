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
use crate::wechat::compose;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 64;
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
        let mut flying = JoinSet::new();
        while let Some((id, notice)) = self.take_due() {
            let sandbox = self.clone();
            flying.spawn(async move { sandbox.deliver(id, notice).await });
        }
        flying.join_all().await.len()
    }

    fn take_due(&self) -> Option<(u64, Notice)> {
        let now = self.clock().now();
        // Taking changes the index alone, which no file keeps.
        self.touch(|records| records.notices.take_due(now))
    }

    fn until_next(&self) -> Duration {
        let now = self.clock().now();
        let wait = self.look(|records| records.notices.next_due()).map(|due_at| due_at.since(now).max(0));
        wait.and_then(|micros| u64::try_from(micros).ok()).map_or(LONGEST_NAP, Duration::from_micros).min(LONGEST_NAP)
    }

    async fn deliver(&self, id: u64, notice: Notice) {
        let (headers, body) = compose(self, &notice.content);
        let mut request = self.client().post(&notice.url).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let outcome = match request.send().await {
            Ok(answer) => Outcome::Answered(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Outcome::TimedOut,
            Err(_) => Outcome::NoConnection,
        };

        let (number, tries) = (&notice.out_trade_no, notice.tries.len() + 1);
        if outcome.accepted() {
            info!(order.no = %number, tries, "the notice of order {number} was accepted");
        } else {
            warn!(order.no = %number, tries, ?outcome, "the notice of order {number} was not accepted");
        }
        let (now, speed) = (self.clock().now(), self.setup().retry_speed);
        let saved: Result<(), Unsaved> = self.change(|records| {
            records.notices.record(id, outcome, now, speed);
            Ok(())
        });
        if saved.is_err() {
            // In memory the try stands and the schedule goes on; a restart would send this notice once more.
            warn!(order.no = %number, "a try of order {number}'s notice is not written down");
        }
    }
}
