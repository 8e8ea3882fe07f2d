//! The provider's side while it runs: connections that are kept, each with one notice at a time, on one thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::net::TcpStream;

use super::super::histogram::{Histogram, Percentiles};
use super::super::load::{Until, micros_since, tick, whole_micros};
use super::super::machine;
use super::notices::Notice;
use super::plan::Kind;
use crate::Failure;
use crate::prompt::Said;

/// No answer to a notice is longer.
const LONGEST_ANSWER: usize = 4096;

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// First notices of payments, answered 204.
    pub paid: u64,
    /// Notices that came again, answered 204.
    pub again: u64,
    /// Forged notices, answered 401.
    pub forged: u64,
}

impl Counts {
    /// All of them.
    pub fn answered(&self) -> u64 {
        self.paid + self.again + self.forged
    }
}

/// What a measurement gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Notices sent since the start, warm-up included: these and no others.
    pub sent: usize,
    /// Answers within the measured time.
    pub counts: Counts,
    /// From the first request to the last answer, microseconds.
    pub micros: u64,
    /// From a request to its answer, microseconds.
    pub latency: Percentiles,
    /// Processor time of the whole process, microseconds.
    pub cpu_micros: u64,
    /// The clients' part of it, nanoseconds.
    pub client_nanos: u64,
}

/// Sends the first `warm_up` of `notices`, then measures until the end of `until` or of the notices.
///
/// Error: a connection breaks, or an answer is not the one that the notice must get.
pub fn run(
    address: SocketAddr,
    connections: u16,
    notices: &[Notice],
    warm_up: usize,
    until: Until,
) -> Result<Measured, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("clients".to_owned());
        let work = || runtime.block_on(measure(address, connections, notices, warm_up, until));
        let ended = thread.spawn_scoped(scope, work)?.join();
        ended.unwrap_or_else(|_| Err(Said("the clients' thread panicked".to_owned()).into()))
    })
}

async fn measure(
    address: SocketAddr,
    connections: u16,
    notices: &[Notice],
    warm_up: usize,
    until: Until,
) -> Result<Measured, Failure> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let (first, rest) = notices.split_at(warm_up.min(notices.len()));
    Load::new(first, Until::Transfers(u64::MAX)).run(&mut open).await?;
    let (cpu, client) = (machine::cpu_micros(), machine::thread_cpu_nanos());
    let load = Load::new(rest, until);
    load.run(&mut open).await?;
    Ok(Measured {
        sent: first.len() + load.next.get(),
        counts: load.counts.get(),
        micros: micros_since(load.began).max(1),
        latency: load.latencies.percentiles(),
        cpu_micros: machine::cpu_micros().saturating_sub(cpu),
        client_nanos: machine::thread_cpu_nanos().saturating_sub(client),
    })
}

/// A part of the notices, sent by all connections.
struct Load<'a> {
    notices: &'a [Notice],
    until: Until,
    began: Instant,
    next: Cell<usize>,
    counts: Cell<Counts>,
    latencies: Histogram,
    wrong: RefCell<Option<String>>,
}

impl<'a> Load<'a> {
    fn new(notices: &'a [Notice], until: Until) -> Load<'a> {
        Load {
            notices,
            until,
            began: tick(),
            next: Cell::new(0),
            counts: Cell::default(),
            latencies: Histogram::new(),
            wrong: RefCell::default(),
        }
    }

    async fn run(&self, open: &mut [Connection]) -> Result<(), Failure> {
        for ended in join_all(open.iter_mut().map(|connection| self.over(connection))).await {
            ended.map_err(|fault| Said(format!("a connection broke: {fault}")))?;
        }
        match self.wrong.take() {
            Some(wrong) => Err(Said(wrong).into()),
            None => Ok(()),
        }
    }

    /// The next notice, while it is time.
    fn take(&self) -> Option<&'a Notice> {
        let over = matches!(self.until, Until::Seconds(seconds) if micros_since(self.began) >= seconds * 1_000_000);
        let notice = self.notices.get(self.next.get()).filter(|_| !over && self.wrong.borrow().is_none())?;
        self.next.set(self.next.get() + 1);
        Some(notice)
    }

    async fn over(&self, connection: &mut Connection) -> io::Result<()> {
        while let Some(notice) = self.take() {
            let asked = tick();
            let status = connection.ask(&notice.request).await?;
            self.latencies.add(whole_micros(tick().duration_since(asked)));
            let mut counts = self.counts.get();
            match (notice.kind, status) {
                (Kind::Paid, 204) => counts.paid += 1,
                (Kind::Again, 204) => counts.again += 1,
                (Kind::Forged, 401) => counts.forged += 1,
                (kind, status) => {
                    *self.wrong.borrow_mut() = Some(format!("a notice ({kind:?}) was answered {status}"));
                }
            }
            self.counts.set(counts);
        }
        Ok(())
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: vec![0; LONGEST_ANSWER] })
    }

    /// Sends a request; gives the status of its answer, which was read to its end.
    async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut rest = request;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(fault) => return Err(fault),
            }
        }
        let mut filled = 0;
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(self.buffer.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => return Err(io::Error::other("it was closed, or the answer is too long")),
                Ok(read) => filled += read,
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => continue,
                Err(fault) => return Err(fault),
            }
            if let Some(status) = whole(self.buffer.get(..filled).unwrap_or_default())? {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer that is there from its first line to its end; `None` for a part of one.
fn whole(answer: &[u8]) -> io::Result<Option<u16>> {
    let unreadable = || io::Error::other("an answer cannot be read");
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let body = answer.len() - head - 4;
    let head = str::from_utf8(answer.get(..head).unwrap_or_default()).map_err(|_| unreadable())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3));
    let status: u16 = status.and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some((_, digits)) => digits.trim().parse().map_err(|_| unreadable())?,
        None if status == 204 => 0,
        None => return Err(unreadable()),
    };
    match body.cmp(&length) {
        std::cmp::Ordering::Less => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(status)),
        std::cmp::Ordering::Greater => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_when_it_is_whole_and_never_when_it_is_more() {
        let table: [(&str, Option<Option<u16>>); 9] = [
            ("HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n", Some(Some(204))),
            ("HTTP/1.1 204 No Content\r\ndate: now\r\n\r", Some(None)),
            ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", Some(Some(401))),
            ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{", Some(None)),
            ("", Some(None)),
            ("HTTP/1.1 204 No Content\r\n\r\nHTTP", None),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
        ];
        for (answer, expected) in table {
            assert_eq!(whole(answer.as_bytes()).ok(), expected, "{answer:?}");
        }
    }
}
