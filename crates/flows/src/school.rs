//! One school as the flows see it: the door to its teller, its balances, its reader and its ports.

use std::sync::Arc;

use futures_channel::oneshot;
use ledger::{AccountKey, Fen, Id, JournalRow, Micros, SchoolId};
use teller::{Balances, Command, Door, Fault, RawKey, Rejected, Schema, Settled, StoreError, job};

use rules::words::Words;

use crate::alarm;
use crate::nonces::Nonces;
use crate::ports::{CardKeys, Clock, Entropy, ListAsk, Reader, Secrets, WeChat};
use crate::rows::{Campus, Key, Row};

/// Everything a flow may use. Cheap to clone.
#[derive(Clone)]
pub struct School {
    /// Which school.
    pub id: SchoolId,
    /// The way to the teller.
    pub door: Door<Campus>,
    /// Balances as of the last commit.
    pub balances: Balances,
    /// Committed rows and lists.
    pub reader: Arc<dyn Reader>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Passwords and sealed data.
    pub secrets: Arc<dyn Secrets>,
    /// Card keys.
    pub card_keys: Arc<dyn CardKeys>,
    /// WeChat Pay.
    pub wechat: Arc<dyn WeChat>,
    /// Live nonces and holds of cards at terminals (M11).
    pub nonces: Arc<Nonces>,
}

/// A row was not what its table holds, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The row does not decode; `onecard verify` tells more.
    #[error("a row of {0} does not decode; run `onecard verify`")]
    Broken(&'static str),
}

impl School {
    /// Hands a command to the teller at once, and waits for what is durable.
    ///
    /// It is handed in when this is called, not when the future is first polled: several calls before the first `await`
    /// share a batch.
    pub fn submit<C: Command<Campus>>(
        &self,
        command: C,
    ) -> impl Future<Output = Settled<C::Answer, C::Refusal>> + Send + use<C> {
        let (tell, told) = oneshot::channel();
        let clock = Arc::clone(&self.clock);
        let reply = move |outcome: Settled<C::Answer, C::Refusal>| {
            if let Err(Rejected::Fault(fault)) = &outcome {
                alarm::tell(std::any::type_name::<C>(), fault, clock.now());
            }
            // Nobody waits any more when the client went away; the decision stands all the same.
            let _ = tell.send(outcome);
        };
        let taken = self.door.hand_in(job(command, reply)).is_ok();
        if !taken {
            alarm::tell(std::any::type_name::<C>(), &Fault::Busy, self.now());
        }
        async move {
            if !taken {
                return Err(Rejected::Fault(Fault::Busy));
            }
            told.await.unwrap_or(Err(Rejected::Fault(Fault::Stopping)))
        }
    }

    /// Now, by the wall clock.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Unguessable bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A fresh time-ordered identifier.
    pub fn new_id(&self) -> Id {
        Id::time_ordered(self.now(), self.random())
    }

    /// Posted balance as of the last commit.
    pub fn balance(&self, account: &AccountKey) -> Fen {
        self.balances.account(account).balance()
    }

    /// A committed row.
    pub async fn row(&self, key: &Key) -> Result<Option<Row>, ReadFault> {
        let mut rows = self.rows(std::slice::from_ref(key)).await?;
        Ok(rows.pop().flatten())
    }

    /// Committed rows, in the order asked.
    pub async fn rows(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, ReadFault> {
        rows_of(self.reader.as_ref(), keys).await
    }

    /// Keys of a list, as bytes, with their places.
    pub async fn list(&self, ask: ListAsk) -> Result<Vec<crate::ports::Listed>, ReadFault> {
        Ok(self.reader.list(ask).await?)
    }

    /// Journal rows.
    pub async fn journal(&self, seqs: Vec<u64>) -> Result<Vec<JournalRow>, ReadFault> {
        Ok(self.reader.journal(seqs).await?)
    }
}

/// Committed rows, in the order asked, of a reader alone: for commands that look beside a running server.
pub(crate) async fn rows_of(reader: &dyn Reader, keys: &[Key]) -> Result<Vec<Option<Row>>, ReadFault> {
    let raw = keys.iter().map(|key| RawKey { table: Campus::table(key), key: Campus::key_bytes(key) }).collect();
    let bodies = reader.rows(raw).await?;
    keys.iter()
        .zip(bodies)
        .map(|(key, body)| {
            body.map(|body| Campus::decode(key, &body)).transpose().map_err(|_| ReadFault::Broken(Campus::table(key)))
        })
        .collect()
}

/// What a person is told when the teller could not do it.
pub fn fault_words(fault: &Fault) -> Words {
    match fault {
        Fault::Busy => Words::new(
            "BUSY",
            "现在人多，请稍候再试。没有发生任何变动。",
            "It is busy now; please try again in a moment. Nothing was changed.",
        ),
        Fault::Full => Words::new(
            "SERVER_FULL",
            "服务器存储已满，暂不能办理。没有发生任何变动，请联系信息中心。",
            "The server has no room left. Nothing was changed; please tell the IT office.",
        ),
        Fault::Poison(_) => Words::new(
            "INTERNAL",
            "系统内部故障，没有发生任何变动。请联系信息中心。",
            "An internal fault; nothing was changed. Please tell the IT office.",
        ),
        Fault::Stopping => Words::new(
            "STOPPING",
            "服务器正在重启，请稍后查看是否已办成。",
            "The server is restarting; please look in a moment whether it was done.",
        ),
    }
}
