//! Tests of `flows` from outside: flows over the real teller and the book in memory, stepped by hand.

mod binding;
mod by_balance;
mod change_password;
mod cloned;
mod credential;
mod events;
mod forged;
mod hand;
mod inbox;
mod lists;
mod lost;
mod money;
mod monthly;
mod people;
mod refunds;
mod restored;
mod rig;
mod settings;
mod sign_in;
mod stale;
mod statement;
mod table;
mod uploads;
mod waiting;
