//! One file per thing a person does: async outside, pure inside.
//!
//! A flow gathers what a command needs from outside (a provider's answer, a checked proof), hands the command to the
//! teller, and turns the outcome into an answer. It holds no rule: rules are in `rules`, and `decide` asks them.
//!
//! Architecture invariant: this crate knows neither which database keeps the rows, nor a provider's wire format, nor HTTP.

pub mod answered;
pub mod binding;
pub mod card_desk;
pub mod card_face;
pub mod card_issue;
pub mod cases;
pub mod change_password;
pub mod credential;
pub mod deliver;
pub mod due;
pub mod epoch;
pub mod event;
pub mod home;
pub mod inbox;
pub mod merchant;
pub mod missing;
pub mod monthly;
pub mod nonces;
pub mod people;
pub mod ports;
pub mod proof;
pub mod purchase;
pub mod records;
pub mod refund;
pub mod resent;
pub mod room;
pub mod rows;
pub mod school;
pub mod session;
pub mod settings;
pub mod sign_in;
pub mod statement;
pub mod tap_load;
pub mod terminal;
pub mod terminal_link;
pub mod top_up;
pub mod unavailable;
pub mod waiting;
pub mod webhook;

mod alarm;
mod by_balance;
mod debit;
mod desk;
mod odd;
mod password_door;
mod stored;
mod suspense;

pub use school::{ReadFault, School};
