//! The bytes of messages that terminals in the field already send. A change here breaks them and needs a new version.

use link::{Record, Stage, ToPlatform, ToTerminal, VERSION, decode, encode};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn messages_keep_their_bytes_within_a_version() {
    assert_eq!(VERSION, 1);
    let table = [
        (ToPlatform::Ping, "6450696e67"),
        (
            ToPlatform::TapOpen { ask: 7, card: 0x2026_0000_0000_0042, stage: Stage::Load },
            "a1675461704f70656ea36361736b0764636172641b2026000000000042657374616765644c6f6164",
        ),
        (
            ToPlatform::Journal { seq: 78, record: Record::Reverse { of: 77 } },
            "a1674a6f75726e616ca263736571184e667265636f7264a16752657665727365a1626f66184d",
        ),
        (ToPlatform::Kept { lowest: 79 }, "a1644b657074a1666c6f77657374184f"),
        (
            ToPlatform::Paid { seq: 78, record: Record::Reverse { of: 77 } },
            "a16450616964a263736571184e667265636f7264a16752657665727365a1626f66184d",
        ),
    ];
    for (message, expected) in table {
        let frame = encode(&message).expect("fits");
        assert_eq!(hex(&frame), expected, "{message:?}");
        assert_eq!(decode::<ToPlatform>(&frame), Ok(message));
    }
    assert_eq!(
        hex(&encode(&ToTerminal::Acknowledged { through: 78 }).expect("fits")),
        "a16c41636b6e6f776c6564676564a1677468726f756768184e"
    );
}
