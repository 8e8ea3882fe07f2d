//! The agents of terminals: protocols without sockets, readers or clocks. Inputs go in, outputs come out, and the agent
//! says when it wants to be woken. The same agent runs in a real terminal, in the demo's page and in the simulator.

pub mod display;
pub mod pos;
pub mod words;

mod resolve;
mod tap;
mod upload;
