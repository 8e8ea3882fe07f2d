//! Tests of `sandbox` from outside: each speaks to it over HTTP as a merchant, a payer or an operator would.

mod account;
mod bills;
mod contrast;
mod control;
mod faults;
mod keys;
mod merchant;
mod notices;
mod oauth;
mod orders;
mod pages;
mod receiver;
mod refunds;
mod restart;
mod rotation;
mod scenes;
mod signature;
