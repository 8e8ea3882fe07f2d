//! A purchase module behind a reader: the two commands of a purchase. Source: JR/T 0025.1, from documents only.

use ledger::Writer;

use super::{PsamFault, PurchaseGrant, PurchaseRequest};
use crate::apdu::with_data;
use crate::status::Status;
use crate::terminal::{CardFault, data, read};

/// INIT SAM FOR PURCHASE. `issuer` is the factor of the first of two levels of keys; all zero where there is one level.
pub fn begin(request: &PurchaseRequest, issuer: [u8; 8]) -> Vec<u8> {
    let mut body = Writer::new();
    body.raw(&request.random).u16(request.m).u32(request.amount).u8(request.kind.code());
    body.raw(&request.stamp.date).raw(&request.stamp.time).u8(request.key_version).u8(request.algorithm);
    body.raw(&request.card.factor()).raw(&issuer);
    with_data([0x80, 0x70, 0x00, 0x00], &body.done(), Some(0x08))
}

/// CREDIT SAM FOR PURCHASE: the module checks the card's MAC2.
pub fn verify(mac2: [u8; 4]) -> Vec<u8> {
    with_data([0x80, 0x72, 0x00, 0x00], &mac2, None)
}

/// The answer to [`begin`]. Errors: `NoAnswer` also for an answer that is none, `UnknownVersion` for key 9403, `Exhausted`
/// for a counter at its end.
pub fn parse_begin(request: &PurchaseRequest, answer: &[u8]) -> Result<PurchaseGrant, PsamFault> {
    let grant = read(answer, |from| Ok(PurchaseGrant { tsn: from.u32()?, mac1: from.array()? }));
    grant.map_err(|fault| match fault {
        CardFault::Status(Status::UnknownKey) => PsamFault::UnknownVersion(request.key_version),
        CardFault::Status(Status::CounterAtMaximum) => PsamFault::Exhausted,
        _ => PsamFault::NoAnswer,
    })
}

/// The answer to [`verify`]. Errors: `NoPurchase` for 6901, `WrongMac` for 9302, `NoAnswer` for all else.
pub fn parse_verify(answer: &[u8]) -> Result<(), PsamFault> {
    match data(answer) {
        Ok([]) => Ok(()),
        Err(CardFault::Status(Status::InvalidState)) => Err(PsamFault::NoPurchase),
        Err(CardFault::Status(Status::WrongMac)) => Err(PsamFault::WrongMac),
        _ => Err(PsamFault::NoAnswer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::CardNumber;
    use crate::session::{Kind, Stamp};

    const REQUEST: PurchaseRequest = PurchaseRequest {
        card: CardNumber(0x2026_0000_0000_0042),
        random: [0x9F, 0x8E, 0x7D, 0x6C],
        m: 0x21,
        amount: 1_250,
        kind: Kind::Purchase,
        stamp: Stamp { date: [0x20, 0x26, 0x09, 0x01], time: [0x12, 0x31, 0x10] },
        key_version: 1,
        algorithm: 0,
    };

    #[test]
    fn the_module_is_asked_in_the_order_of_the_standard() {
        let command = begin(&REQUEST, [0xEE; 8]);
        assert_eq!(command[..5], [0x80, 0x70, 0, 0, 0x24]);
        let body = [
            &[0x9F, 0x8E, 0x7D, 0x6C, 0, 0x21, 0, 0, 0x04, 0xE2, 0x06, 0x20, 0x26, 0x09, 0x01, 0x12, 0x31, 0x10, 1, 0]
                [..],
            &[0x20, 0x26, 0, 0, 0, 0, 0, 0x42],
            &[0xEE; 8],
        ]
        .concat();
        assert_eq!(command[5..5 + 0x24], body);
        assert_eq!(verify([1, 2, 3, 4]), [0x80, 0x72, 0, 0, 4, 1, 2, 3, 4]);
    }

    #[test]
    fn each_answer_of_the_module_has_its_meaning() {
        let grant = PurchaseGrant { tsn: 0xA5B, mac1: [1, 2, 3, 4] };
        let table: [(&[u8], Result<PurchaseGrant, PsamFault>); 5] = [
            (&[0, 0, 0x0A, 0x5B, 1, 2, 3, 4, 0x90, 0], Ok(grant)),
            (&[0, 0, 0x0A, 0x5B, 1, 2, 3, 0x90, 0], Err(PsamFault::NoAnswer)),
            (&[0x94, 0x03], Err(PsamFault::UnknownVersion(1))),
            (&[0x94, 0x02], Err(PsamFault::Exhausted)),
            (&[], Err(PsamFault::NoAnswer)),
        ];
        for (answer, expected) in table {
            assert_eq!(parse_begin(&REQUEST, answer), expected, "{answer:02X?}");
        }
        let table: [(&[u8], Result<(), PsamFault>); 5] = [
            (&[0x90, 0], Ok(())),
            (&[1, 0x90, 0], Err(PsamFault::NoAnswer)),
            (&[0x69, 0x01], Err(PsamFault::NoPurchase)),
            (&[0x93, 0x02], Err(PsamFault::WrongMac)),
            (&[0x90], Err(PsamFault::NoAnswer)),
        ];
        for (answer, expected) in table {
            assert_eq!(parse_verify(answer), expected, "{answer:02X?}");
        }
    }
}
