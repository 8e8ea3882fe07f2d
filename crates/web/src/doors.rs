//! How often something may be asked, counted in memory: wrong passwords and refused codes by address, orders by person,
//! requests by session and by access token.
//!
//! A whole campus comes from one address, so by address only failures count: what was right is given back. Everything here
//! is bounded: when there is no more room, whoever is nearest to a full bucket is forgotten first. A restart forgets all of
//! it; what must not be forgotten, the tries at an account, is a row of the book.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use flows::settings::limits;
use ledger::Micros;
use rules::ids::PersonId;
use rules::limits::Setting;
use rules::pace::{Pace, TooOften};

use crate::api::bearer;
use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::Failure;
use crate::visit::Client;

/// What one session or one access token may ask for: far above what a person with several tabs does, and little for the server.
const REQUESTS: Pace = Pace { times: 3_000, seconds: 60 };
/// Codes of WeChat from one address that WeChat refuses. They have a count of their own, and a long one: who guesses at
/// passwords behind the same address keeps nobody from coming in by WeChat.
const CODES: Pace = Pace { times: 600, seconds: 60 };
/// Seconds in which orders and failures are counted.
const MINUTE: i64 = 60;
/// How many addresses, sessions with tokens, or persons are kept in mind at most, of each.
const ROOM: usize = 65_536;

/// The counts.
#[derive(Default)]
pub(crate) struct Doors {
    failures: Mutex<Buckets<IpAddr>>,
    codes: Mutex<Buckets<IpAddr>>,
    requests: Mutex<Buckets<[u8; 32]>>,
    orders: Mutex<Orders>,
}

/// Buckets that are not full, by whose they are and by when they are full.
struct Buckets<K> {
    full_at: BTreeMap<K, Micros>,
    order: BTreeSet<(Micros, K)>,
}

impl<K: Ord> Default for Buckets<K> {
    fn default() -> Buckets<K> {
        Buckets { full_at: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Buckets<K> {
    fn take(&mut self, key: K, pace: Pace, now: Micros) -> Result<(), TooOften> {
        let full_at = pace.take(self.full_at.get(&key).copied(), now)?;
        self.put(key, full_at);
        // Two go for one that comes: full ones do not pile up. Beyond the room the next one to be full goes early.
        for _ in 0..2 {
            let Some((first, whose)) = self.order.first().copied() else { break };
            if first > now && self.order.len() <= ROOM {
                break;
            }
            self.order.pop_first();
            self.full_at.remove(&whose);
        }
        Ok(())
    }

    fn give_back(&mut self, key: K, pace: Pace) {
        if let Some(full_at) = self.full_at.get(&key).copied() {
            self.put(key, pace.give_back(full_at));
        }
    }

    fn put(&mut self, key: K, full_at: Micros) {
        if let Some(before) = self.full_at.insert(key, full_at) {
            self.order.remove(&(before, key));
        }
        self.order.insert((full_at, key));
    }
}

/// Forms that made orders within the last minute, by person. A form that comes again is no new order.
#[derive(Default)]
struct Orders {
    of: BTreeMap<PersonId, Vec<(Micros, [u8; 16])>>,
}

impl Orders {
    /// Whether the form is counted by this call; one that is counted already is no new order.
    fn take(&mut self, person: PersonId, form: [u8; 16], most: usize, now: Micros) -> Result<bool, TooOften> {
        let recent = |at: &Micros| now < at.after_seconds(MINUTE);
        if self.of.len() >= ROOM {
            self.of.retain(|_, forms| forms.iter().any(|(at, _)| recent(at)));
        }
        let forms = self.of.entry(person).or_default();
        forms.retain(|(at, _)| recent(at));
        if forms.iter().any(|(_, known)| *known == form) {
            return Ok(false);
        }
        if forms.len() >= most {
            let first = forms.first().map_or(now, |(at, _)| *at);
            let left = first.after_seconds(MINUTE).get().saturating_sub(now.get());
            return Err(TooOften { wait: (left.saturating_add(999_999) / 1_000_000).max(1) });
        }
        forms.push((now, form));
        Ok(true)
    }

    fn give_back(&mut self, person: PersonId, form: [u8; 16]) {
        if let Some(forms) = self.of.get_mut(&person) {
            forms.retain(|(_, known)| *known != form);
        }
    }
}

/// A count is plain numbers: what a thread that panicked left of it is as good as any.
fn open<T>(count: &Mutex<T>) -> MutexGuard<'_, T> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose failures are counted together: an address, or the network that a home or a phone gets of the sixth version.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// A try at a door. It counts as a failure unless it is said to have been none.
#[must_use]
pub(crate) struct Tried<'a> {
    count: &'a Mutex<Buckets<IpAddr>>,
    from: IpAddr,
    pace: Pace,
}

impl Tried<'_> {
    /// What was shown was right, or nobody looked at it.
    pub(crate) fn was_no_failure(self) {
        open(self.count).give_back(self.from, self.pace);
    }
}

/// An order that is asked for. It counts unless it is said to have been none.
#[must_use]
pub(crate) struct Asked<'a> {
    orders: &'a Mutex<Orders>,
    person: PersonId,
    form: [u8; 16],
    fresh: bool,
}

impl Asked<'_> {
    /// Nothing was ordered. What an earlier call with the same form ordered still counts.
    pub(crate) fn made_none(self) {
        if self.fresh {
            open(self.orders).give_back(self.person, self.form);
        }
    }
}

impl Doors {
    /// A password is typed. It is counted before it is looked at, so that a hundred at once count as a hundred.
    ///
    /// Errors: [`Failure::TooMany`]; then it must not be looked at, and is no try at the account either.
    pub(crate) async fn password<'a>(&'a self, web: &Web, Client(from): &Client) -> Result<Tried<'a>, Failure> {
        let times = limits(&web.school).await?.get(Setting::PasswordAddressFailures);
        let (from, pace) = (network(*from), Pace { times, seconds: MINUTE });
        open(&self.failures).take(from, pace, web.school.now())?;
        Ok(Tried { count: &self.failures, from, pace })
    }

    /// A code of WeChat is brought. It is counted before WeChat is asked, so that nobody asks it through us without end.
    ///
    /// Errors: [`Failure::TooMany`]; then WeChat must not be asked.
    pub(crate) fn code<'a>(&'a self, web: &Web, Client(from): &Client) -> Result<Tried<'a>, Failure> {
        let from = network(*from);
        open(&self.codes).take(from, CODES, web.school.now())?;
        Ok(Tried { count: &self.codes, from, pace: CODES })
    }

    /// A person orders by this form. Errors: [`Failure::TooMany`].
    pub(crate) async fn order(&self, web: &Web, person: PersonId, form: [u8; 16]) -> Result<Asked<'_>, Failure> {
        let most = limits(&web.school).await?.get(Setting::OrderPerMinute);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let fresh = open(&self.orders).take(person, form, most, web.school.now())?;
        Ok(Asked { orders: &self.orders, person, form, fresh })
    }

    /// Somebody who has a session, or shows a token, asks for something. Style, script and pictures cost nothing, notices have
    /// neither. What has not the form of a token is refused before anything is looked up.
    pub(crate) fn request(&self, path: &str, headers: &HeaderMap, web: &Web) -> Result<(), TooOften> {
        if path.starts_with("/assets/") {
            return Ok(());
        }
        let key = if bearer::shown(path, headers) {
            bearer::claimed(headers).map(|secret| blake3::derive_key("onecard web token count v1", &secret))
        } else {
            let token = Cookie::Session.read(headers, web.config.secure_cookies);
            token.map(|token| blake3::derive_key("onecard web request count v1", token.as_bytes()))
        };
        key.map_or(Ok(()), |key| open(&self.requests).take(key, REQUESTS, web.school.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros::from_seconds(1_000);

    #[test]
    fn full_buckets_are_forgotten_and_there_is_an_end_to_the_others() {
        let pace = Pace { times: 2, seconds: 60 };
        let mut buckets = Buckets::default();
        for key in 0..ROOM + 500 {
            buckets.take(key, pace, NOW).expect("everybody's first");
        }
        assert_eq!((buckets.full_at.len(), buckets.order.len()), (ROOM, ROOM));
        let later = NOW.after_seconds(60);
        for _ in 0..ROOM {
            assert!(buckets.take(7, Pace { times: 1_000_000_000, seconds: 60 }, later).is_ok());
        }
        assert_eq!((buckets.full_at.len(), buckets.order.len()), (1, 1), "what is full again is nobody's");
    }

    #[test]
    fn whoever_failed_most_is_remembered_longest() {
        let pace = Pace { times: 5, seconds: 60 };
        let mut buckets = Buckets::default();
        for _ in 0..5 {
            buckets.take(usize::MAX, pace, NOW).expect("five");
        }
        for key in 0..ROOM * 2 {
            buckets.take(key, pace, NOW).expect("everybody's first");
        }
        assert!(buckets.take(usize::MAX, pace, NOW).is_err(), "a flood of others makes nobody's failures forgotten");
    }

    #[test]
    fn a_form_that_comes_again_is_no_new_order() {
        let mut orders = Orders::default();
        let person = PersonId(ledger::Id::new(1));
        for _ in 0..50 {
            orders.take(person, [0; 16], 3, NOW).expect("the same one");
        }
        orders.take(person, [1; 16], 3, NOW.after_seconds(10)).expect("the second");
        orders.take(person, [2; 16], 3, NOW.after_seconds(20)).expect("the third");
        let now = NOW.after_seconds(30);
        assert_eq!(orders.take(person, [3; 16], 3, now), Err(TooOften { wait: 30 }));
        assert!(orders.take(person, [2; 16], 3, now).is_ok(), "a repeat is not refused");
        assert!(orders.take(PersonId(ledger::Id::new(2)), [3; 16], 3, now).is_ok(), "nor is anybody else");
        orders.give_back(person, [2; 16]);
        orders.take(person, [3; 16], 3, now).expect("one of them was none");
        assert!(orders.take(person, [4; 16], 3, NOW.after_seconds(60)).is_ok(), "a minute passed since the first");
    }

    #[test]
    fn a_home_s_network_is_one_address() {
        let table = [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ];
        for (from, expected) in table {
            assert_eq!(network(from.parse().expect("an address")).to_string(), expected);
        }
    }
}
