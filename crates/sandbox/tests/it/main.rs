//! Tests of `sandbox` from outside: each speaks to it over HTTP as a merchant, a payer or an operator would.

mod contrast;
mod control;
mod keys;
mod merchant;
mod notices;
mod oauth;
mod orders;
mod pages;
mod receiver;
mod restart;
mod signature;
