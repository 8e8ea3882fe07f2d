//! What a card of plastic and a purchase module of silicon would take where the bench has both in software.
//!
//! Nothing waits for it: it is added to the measured time, from which the time of the software is taken off.

use serde::Serialize;

/// CREDIT FOR LOAD and DEBIT FOR PURCHASE: the commands after which the card's memory is another.
const WRITES: [u8; 2] = [0x52, 0x54];
/// Bytes around each block on the air, both ways together: PCB and CRC. Source: ISO/IEC 14443-4.
const AROUND: u64 = 6;

/// Times of a card and of a purchase module, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CardTime {
    /// Each command of the card, from its last byte to the first of its answer.
    pub command_us: u64,
    /// More for a command that changes the card's memory.
    pub write_us: u64,
    /// Each byte on the air.
    pub byte_us: u64,
    /// Each command of the purchase module.
    pub module_us: u64,
}

/// A command that a card has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its instruction byte.
    pub instruction: u8,
    /// Bytes of command and answer.
    pub bytes: u64,
    /// What the software card took, nanoseconds.
    pub took_ns: u64,
}

impl CardTime {
    /// What a card would take for these commands and a module for so many of its own, microseconds.
    pub fn of(&self, exchanges: &[Exchange], module_calls: u64) -> u64 {
        let card = exchanges.iter().map(|exchange| {
            let write = if WRITES.contains(&exchange.instruction) { self.write_us } else { 0 };
            self.command_us + write + self.byte_us * (exchange.bytes + AROUND)
        });
        card.sum::<u64>() + self.module_us * module_calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_costs_its_own_time_its_bytes_and_its_writing() {
        let time = CardTime { command_us: 25_000, write_us: 10_000, byte_us: 85, module_us: 20_000 };
        let exchange = |instruction, bytes| Exchange { instruction, bytes, took_ns: 999 };
        let table = [
            (vec![], 0, 0),
            (vec![exchange(0xA4, 94)], 0, 25_000 + 85 * 100),
            (vec![exchange(0x52, 22)], 0, 35_000 + 85 * 28),
            (vec![exchange(0x50, 34), exchange(0x54, 31)], 2, 60_000 + 85 * 77 + 40_000),
        ];
        for (exchanges, module_calls, micros) in table {
            assert_eq!(time.of(&exchanges, module_calls), micros, "{exchanges:?}");
        }
    }
}
