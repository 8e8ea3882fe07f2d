//! The simulator of the money path: a school with people, phones, cards, tills, a payment provider and a server, all in one
//! thread and one line of events, under every fault that a seed draws, watched by a checker that shares nothing with the
//! product.
//!
//! The production code runs, not a copy: the teller's engine is stepped by hand, the flows' futures are polled by hand, the
//! POS agent gets its inputs one by one, and the card is the software card behind a hand that pulls it away.
//!
//! | file | who |
//! |---|---|
//! | `world.rs` | time, events, the two phases: faults, then calm in which everything must converge |
//! | `server.rs`, `gateway.rs`, `watched_job.rs`, `ports.rs`, `wechat.rs` | the server process and what it is made of |
//! | `kept.rs`, `checkpoint.rs`, `crash.rs`, `clock.rs` | its disk, where it dies and starts again, its clock |
//! | `anchors.rs`, `restore.rs` | what is written down outside its disk, old images, backups and what follows from them |
//! | `provider.rs`, `notice.rs` | WeChat Pay |
//! | `till.rs`, `line.rs`, `disk.rs`, `visit.rs`, `rogue.rs` | terminals, the people at them, a terminal that lies |
//! | `holder.rs`, `door.rs` | people with phones, people with passwords |
//! | `courier.rs`, `receiver.rs` | a system of the school that is told of events |
//! | `net.rs` | what becomes of messages |
//! | `checker/` | the independent checker |
//! | `plant.rs`, `plant/` | bugs planted on purpose |
//! | `run.rs` | one seed, many seeds, all plants |
//!
//! Architecture invariant: no real time, no thread, no socket, no file. The same seed gives the same run.

mod anchors;
mod checker;
mod checkpoint;
mod clerk;
mod clock;
mod count;
mod courier;
mod crash;
mod crook;
mod digest;
mod disk;
mod door;
mod gateway;
mod holder;
mod kept;
mod line;
mod loss;
mod net;
mod notes;
mod notice;
mod options;
mod payback;
pub mod plant;
mod ports;
mod provider;
mod receiver;
mod restore;
mod rng;
mod rogue;
pub mod run;
mod server;
mod setup;
mod swap;
mod till;
mod visit;
mod watched_job;
mod wechat;
mod world;

pub use count::Counters;
pub use options::Scenario;
