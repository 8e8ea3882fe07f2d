//! Tests of `pay` from outside, against a provider written for them: it checks our signatures and signs its answers by
//! the provider's description alone, without the code under test.

mod answers;
mod desk;
mod notices;
mod oauth;
mod orders;
mod provider;
mod refunds;
mod settings;
mod signatures;
