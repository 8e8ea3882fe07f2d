//! M1: absent is not "not loaded".

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use teller::{Fault, Limits, Look, Rejected, Schema};

use crate::shelf::Shelf;
use crate::shop::{Counter, Key, Shop, act, act_on, count, credit, holder, missing};

#[test]
fn m1_absent_is_not_not_loaded() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    // Both name the row before it exists; the second must see what the first put there, and credit nothing.
    assert_eq!(counter.ask(vec![credit(5), credit(5)]), [Ok(1), Ok(2)]);
    assert_eq!(counter.balance(holder(5)), 100);
    assert_eq!(counter.ask(vec![credit(5)]), [Ok(2)]);
    assert_eq!(counter.balance(holder(5)), 100);
    assert_eq!(shelf.kept().journal.len(), 1);
}

#[test]
fn m1_a_row_nobody_named_puts_the_command_off_until_it_is_loaded() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(5), count(1)]);
    let mut counter = Counter::open(&shelf);
    // Named by nobody: a rule that took it for absent would credit again.
    let forgetful = || act(vec![], |desk| Ok(desk.get(&Key::Order(5))?.copied().unwrap_or(0)));
    let put_off = counter.step(vec![forgetful(), count(1)]).expect("works");
    assert_eq!(put_off.len(), 1);
    assert_eq!(counter.told_since(0), [Ok(2)], "the other command was done");
    let put_off = counter.step_jobs(put_off).expect("works");
    assert!(put_off.is_empty());
    assert_eq!(counter.told_since(0), [Ok(7), Ok(2)]);
}

#[test]
fn m1_a_put_off_command_leaves_nothing_and_is_decided_anew() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let tries = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&tries);
    let late = act(vec![Key::Tally(1)], move |desk| {
        seen.fetch_add(1, Ordering::Relaxed);
        let before = desk.get(&Key::Tally(1))?.copied().unwrap_or(0);
        desk.put(Key::Tally(1), before + 10)?;
        crate::shop::pay(desk, crate::shop::BANK, holder(1), 100, ledger::Stage::Direct)?;
        desk.get(&Key::Tally(2))?;
        Ok(before)
    });
    let put_off = counter.step(vec![late, count(1)]).expect("works");
    assert_eq!(shelf.kept().journal.len(), 0, "a put-off command left a journal row");
    assert_eq!(counter.told_since(0), [Ok(1)], "a put-off command left a row");
    assert_eq!(counter.balance(holder(1)), 0);
    counter.step_jobs(put_off).expect("works");
    assert_eq!(counter.told_since(0), [Ok(1), Ok(1)], "it saw the tally as the batch before left it");
    assert_eq!((tries.load(Ordering::Relaxed), counter.balance(holder(1))), (2, 100));
}

#[test]
fn m1_after_four_deferrals_a_command_is_answered_busy_and_left_nothing() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let asked = Arc::new(AtomicU32::new(100));
    // Wants another row each time: it can never be satisfied.
    let greedy = act(vec![], move |_| Err(missing(Key::Tally(asked.fetch_add(1, Ordering::Relaxed)))));
    let mut waiting = counter.step(vec![greedy]).expect("works");
    for deferral in 1..=4 {
        assert_eq!(waiting.len(), 1, "deferral {deferral}");
        assert!(counter.told().is_empty(), "deferral {deferral}");
        waiting = counter.step_jobs(waiting).expect("works");
    }
    assert!(waiting.is_empty());
    assert_eq!(counter.told_since(0), [Err(Rejected::Fault(Fault::Busy))]);
    assert!(shelf.kept().blocks.is_empty(), "Busy left something");
}

#[test]
fn m1_rows_named_by_other_rows_are_loaded_round_by_round() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(5), count(7)]);
    let mut counter = Counter::open(&shelf);
    shelf.kept().loads.clear();
    // The order names its tally; only then is the tally known.
    let through = act_on(
        |seen| match seen.row(&Key::Order(5)) {
            Some(tally) => vec![Key::Order(5), Key::Tally(*tally)],
            None => vec![Key::Order(5)],
        },
        |desk| Ok(desk.get(&Key::Tally(7))?.copied().unwrap_or(0)),
    );
    assert_eq!(counter.ask(vec![through]), [Ok(1)]);
    let tables: Vec<Vec<_>> =
        shelf.kept().loads.iter().map(|load| load.iter().map(|key| key.table).collect()).collect();
    assert_eq!(tables, [["order"], ["tally"]]);
    counter.ask(vec![count(7)]);
    assert_eq!(shelf.kept().loads.len(), 2, "a cached row was read again");
}

#[test]
fn a_desk_tells_row_absent_and_not_loaded_apart_and_refuses_to_write_blindly() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1)]);
    let look = act(vec![Key::Order(1), Key::Order(2)], |desk| {
        assert!(matches!(desk.look(&Key::Order(1)), Look::Row(7)));
        assert!(matches!(desk.look(&Key::Order(2)), Look::Absent));
        assert!(matches!(desk.look(&Key::Order(3)), Look::NotLoaded));
        assert!(desk.put(Key::Order(3), 1).is_err());
        assert!(desk.delete(Key::Order(3)).is_err());
        desk.delete(Key::Order(1))?;
        desk.delete(Key::Order(2))?;
        assert!(matches!(desk.look(&Key::Order(1)), Look::Absent));
        Ok(0)
    });
    assert_eq!(counter.ask(vec![look, credit(1)]), [Ok(0), Ok(1)]);
    let mut counter = Counter::open(&shelf);
    assert_eq!(counter.ask(vec![credit(1)]), [Ok(2)]);
}

#[test]
fn lists_follow_the_rows() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let owners = |shelf: &Shelf| -> Vec<(Vec<u8>, i64)> {
        shelf.kept().lists.iter().map(|place| (place.owner.clone(), place.at)).collect()
    };
    let move_to = |tally: u32| {
        act(vec![Key::Order(1)], move |desk| {
            desk.put(Key::Order(1), tally)?;
            Ok(tally)
        })
    };
    counter.ask(vec![credit(1)]);
    assert_eq!(owners(&shelf), [(vec![0, 0, 0, 7], 1)]);
    counter.ask(vec![move_to(8), move_to(9)]);
    assert_eq!(owners(&shelf), [(vec![0, 0, 0, 9], 1)], "moved in one batch through an intermediate place");
    counter.ask(vec![act(vec![Key::Order(1)], |desk| {
        desk.delete(Key::Order(1))?;
        Ok(0)
    })]);
    assert_eq!(owners(&shelf), []);
    assert_eq!(Shop::LISTS, ["orders_by_tally"]);
}

#[test]
fn a_row_that_is_asked_for_stays_in_memory_and_one_that_is_not_makes_room() {
    let shelf = Shelf::default();
    // Two rows fill the young half.
    let limits = Limits { cached_rows: 4, ..Limits::default() };
    type Tallies = &'static [u32];
    let table: [(&str, &[Tallies], Tallies); 4] = [
        ("a half that is just full stays", &[&[1, 2], &[3, 4], &[1]], &[]),
        ("what was asked for again stays", &[&[1, 2, 3], &[1, 4, 5], &[1]], &[]),
        ("what was not asked for again goes", &[&[1, 2, 3], &[1, 4, 5], &[2]], &[2]),
        ("and only that", &[&[1, 2, 3], &[3, 4, 5], &[6], &[3, 4]], &[]),
    ];
    for (what, batches, read_again) in table {
        let mut counter = Counter::with(&shelf, limits);
        let mut seen = std::collections::BTreeSet::new();
        shelf.kept().loads.clear();
        let mut again = Vec::new();
        for batch in batches {
            counter.ask(batch.iter().map(|tally| look_at(*tally)).collect());
            for key in std::mem::take(&mut shelf.kept().loads).concat() {
                again.extend((!seen.insert(key.key.clone())).then_some(key.key));
            }
        }
        let wanted: Vec<Vec<u8>> = read_again.iter().map(|tally| tally.to_be_bytes().to_vec()).collect();
        assert_eq!(again, wanted, "{what}");
    }
}

fn look_at(tally: u32) -> crate::shop::Act {
    act(vec![Key::Tally(tally)], move |desk| Ok(desk.get(&Key::Tally(tally))?.copied().unwrap_or(0)))
}
