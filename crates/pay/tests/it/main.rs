//! Tests of `pay` from outside, against a provider written for them: it checks our signatures and signs its answers by
//! the provider's description alone, without the code under test.

mod account;
mod answers;
mod attacks;
mod bills;
mod callback;
mod certificates;
mod contract;
mod desk;
mod notices;
mod oauth;
mod orders;
mod provider;
mod refund_notices;
mod refunds;
mod settings;
mod signatures;
