//! Any message there can be: a strategy per type, every variant of every enum in it.

use link::{
    Answer, DebitEvidence, LoadInit, Marked, Proof, PurseSale, Record, Stage, Stamp, ToPlatform, ToTerminal, Words,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

pub fn to_platform() -> impl Strategy<Value = ToPlatform> {
    prop_oneof![
        (any::<u16>(), any::<[u8; 16]>(), any::<u64>()).prop_map(|(version, boot, last_seq)| ToPlatform::Hello {
            version,
            boot,
            last_seq
        }),
        (any::<u32>(), any::<u64>(), stage()).prop_map(|(ask, card, stage)| ToPlatform::TapOpen { ask, card, stage }),
        (any::<u32>(), any::<u64>(), load_init(), vec(proof(), 0..40))
            .prop_map(|(ask, card, init, proofs)| ToPlatform::TapBegin { ask, card, init, proofs }),
        (any::<u32>(), any::<u64>(), any::<u32>(), any::<[u8; 4]>())
            .prop_map(|(ask, card, k, tac)| ToPlatform::TapConfirm { ask, card, k, tac }),
        (any::<u64>(), record()).prop_map(|(seq, record)| ToPlatform::Journal { seq, record }),
        (any::<u64>(), record()).prop_map(|(seq, record)| ToPlatform::Paid { seq, record }),
        any::<u64>().prop_map(|lowest| ToPlatform::Kept { lowest }),
        Just(ToPlatform::Ping),
    ]
}

pub fn to_terminal() -> impl Strategy<Value = ToTerminal> {
    prop_oneof![
        (any::<i64>(), any::<u64>(), any::<u64>(), any::<[u8; 3]>(), text(), text()).prop_map(
            |(now, last_seq, acknowledged, terminal, place_zh, place_en)| ToTerminal::Welcome {
                now,
                last_seq,
                acknowledged,
                terminal,
                place_zh,
                place_en
            }
        ),
        (any::<u32>(), any::<[u8; 3]>(), any::<u32>(), vec(any::<u16>(), 0..40))
            .prop_map(|(ask, nonce, amount, prove)| ToTerminal::TapNonce { ask, nonce, amount, prove }),
        (any::<u32>(), any::<[u8; 3]>(), any::<u32>()).prop_map(|(ask, nonce, amount)| ToTerminal::TapAgain {
            ask,
            nonce,
            amount
        }),
        (any::<u32>(), any::<u32>(), any::<u32>(), stamp(), any::<[u8; 4]>())
            .prop_map(|(ask, k, amount, stamp, mac2)| ToTerminal::TapRelease { ask, k, amount, stamp, mac2 }),
        (any::<u32>(), any::<[u8; 16]>(), any::<u32>(), any::<u32>(), any::<i64>())
            .prop_map(|(ask, hold, loaded, purse, account)| ToTerminal::TapDone { ask, hold, loaded, purse, account }),
        (any::<u32>(), words()).prop_map(|(ask, words)| ToTerminal::TapRefused { ask, words }),
        (any::<u64>(), answer()).prop_map(|(seq, answer)| ToTerminal::Answered(Marked { seq, answer })),
        any::<u64>().prop_map(|through| ToTerminal::Acknowledged { through }),
        any::<i64>().prop_map(|now| ToTerminal::Pong { now }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (any::<u64>(), any::<[u8; 16]>(), any::<u32>(), any::<i64>())
            .prop_map(|(card, hold, amount, not_after)| Record::Authorise { card, hold, amount, not_after }),
        any::<u64>().prop_map(|of| Record::Reverse { of }),
        sale().prop_map(Record::Sale),
        (any::<u64>(), option::of(any::<[u8; 4]>())).prop_map(|(of, tac)| Record::Settle { of, tac }),
        any::<u32>().prop_map(|tsn| Record::Gap { tsn }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (any::<i64>(), any::<i64>()).prop_map(|(account, purse)| Answer::Paid { account, purse }),
        any::<u32>().prop_map(|amount| Answer::PayFromPurse { amount }),
        (words(), option::of(any::<(i64, i64)>())).prop_map(|(words, balances)| Answer::Refused { words, balances }),
        Just(Answer::Taken),
        Just(Answer::Quarantined),
    ]
}

fn sale() -> impl Strategy<Value = PurseSale> {
    let evidence = prop_oneof![any::<[u8; 4]>().prop_map(DebitEvidence::Tac), Just(DebitEvidence::Unconfirmed)];
    (
        (any::<u64>(), option::of(any::<u64>()), any::<u32>(), any::<u32>(), any::<u16>(), any::<[u8; 6]>()),
        (any::<u32>(), stamp(), any::<u8>(), any::<u8>(), evidence),
    )
        .prop_map(
            |(
                (card, authorised_by, amount, old_balance, m, terminal),
                (tsn, stamp, key_version, algorithm, evidence),
            )| {
                PurseSale {
                    card,
                    authorised_by,
                    amount,
                    old_balance,
                    m,
                    terminal,
                    tsn,
                    stamp,
                    key_version,
                    algorithm,
                    evidence,
                }
            },
        )
}

fn load_init() -> impl Strategy<Value = LoadInit> {
    (
        (any::<u32>(), any::<[u8; 6]>(), any::<u32>(), any::<u16>()),
        (any::<u8>(), any::<u8>(), any::<[u8; 4]>(), any::<[u8; 4]>()),
    )
        .prop_map(|((amount, terminal, old_balance, n), (key_version, algorithm, random, mac1))| LoadInit {
            amount,
            terminal,
            old_balance,
            n,
            key_version,
            algorithm,
            random,
            mac1,
        })
}

fn proof() -> impl Strategy<Value = Proof> {
    (any::<u16>(), any::<[u8; 4]>()).prop_map(|(m, tac)| Proof { m, tac })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (any::<[u8; 4]>(), any::<[u8; 3]>()).prop_map(|(date, time)| Stamp { date, time })
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Load), Just(Stage::Fill)]
}

fn words() -> impl Strategy<Value = Words> {
    (text(), text(), text()).prop_map(|(code, zh, en)| Words { code, zh, en })
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..60).prop_map(String::from_iter)
}
