//! Bugs that are planted on purpose, to see whether the checker finds them. None of them touches the product: they lie in
//! the ports, the store, the messages, on the teller's desk or on the terminal's disk, as this world hands them to the product.

pub(crate) mod hooks;
mod waiting;

/// A TAC that no card gives, for planted bugs that do without one.
pub(crate) const NO_TAC: [u8; 4] = [0xEE, 0x0F, 0xAA, 0x71];

/// How long a planted bug waits before it decides by the clock, seconds.
pub(crate) const IMPATIENCE: i64 = 5;

macro_rules! plants {
    ($($name:ident: $what:literal => [$($found_by:literal),+];)*) => {
        /// A bug to plant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Plant {
            $(
                #[doc = $what]
                $name,
            )*
        }

        impl Plant {
            /// Every one.
            pub const ALL: &'static [Plant] = &[$(Plant::$name),*];

            /// Its short name.
            pub const fn name(self) -> &'static str {
                match self { $(Plant::$name => stringify!($name)),* }
            }

            /// What is wrong when it is planted.
            pub const fn what(self) -> &'static str {
                match self { $(Plant::$name => $what),* }
            }

            /// The invariants by which it may be found; any other finding does not count.
            pub const fn found_by(self) -> &'static [&'static str] {
                match self { $(Plant::$name => &[$($found_by),+]),* }
            }
        }
    };
}

plants! {
    P01: "no dedupe of the provider's transaction number" => ["I2"];
    P02: "a notice's signature is not checked" => ["I2"];
    P03: "a payment's amount is not compared with the order's" => ["I2"];
    P04: "merchant and currency of a payment are not compared" => ["I2"];
    P05: "a notice is answered before what it brought is durable" => ["ACK", "L1"];
    P09: "a second payment of one order is credited too" => ["I2"];
    P10: "a second payment of one order is dropped" => ["L1"];
    P11: "a payment of an order that expired here is dropped" => ["L1"];
    P12: "not found is final at once" => ["L1"];
    P13: "a creation without an answer is repeated under a new number" => ["L1", "I2"];
    P14: "older news moves an order back" => ["I2"];
    P15: "the page's word that it was paid is believed" => ["I2"];
    P16: "an order that expired here is taken as closed, and the provider was never asked to close it" => ["L1"];
    P20: "an order that is not paid is refunded out of the holder's account" => ["I2r"];
    P21: "a refund is sent, and its money is not held" => ["I4"];
    P22: "a refund without an answer is repeated under a new number" => ["I2r"];
    P23: "a closed refund keeps its hold, an abnormal one gives it back" => ["L2", "I2r"];
    P24: "a load without an answer is taken as applied after a while" => ["I3"];
    P25: "a load without an answer is taken as not applied after a while" => ["I3"];
    P26: "a tap is believed without the platform's nonce" => ["I3", "I8"];
    P27: "the nonce before the newest is still good" => ["I3", "I8"];
    P28: "MAC2 leaves before the attempt is durable" => ["I3"];
    P29: "a retried tap takes what waits now, not what the attempt carries" => ["I3"];
    P30: "a load that has begun does not keep its order from being refunded (M12)" => ["I3", "I4"];
    P31: "of several orders in one tap one is lost" => ["L3"];
    P32: "no dedupe of purse debits" => ["I3"];
    P33: "a record is known by its terminal's number alone, and the device was replaced (M19)" => ["L4", "ACK"];
    P34: "the terminal forgets a sale's record before it is acknowledged" => ["L4"];
    P35: "the highest record is acknowledged, not the highest contiguous one" => ["L4", "I8", "M9"];
    P37: "a purchase's TAC is not verified" => ["I3"];
    P38: "an unconfirmed debit is dropped" => ["L4"];
    P39: "an unconfirmed debit is charged although the card was not debited" => ["I3"];
    P58: "a record's answer is not kept: the same record is decided again" => ["I5"];
    P59: "the account rows lack the last block that they are said to contain" => ["I7"];
    P60: "the order of a hash map decides which order is loaded first" => ["determinism"];
    P61: "a reversal is taken and not carried out (M17)" => ["I5"];
    P62: "a reversal leaves no tombstone and a request never expires (M17)" => ["I5", "ACK"];
    P63: "the purse is to be debited for a sale that the account has paid (M16)" => ["I5"];
    P64: "a fill of the purse that was not applied does not go back to the account (M10)" => ["L3"];
    P65: "a refusal is not kept: the same request may be approved later (M3)" => ["I5"];
    P66: "an open sale is judged by the balance while another debit may be under way" => ["I3"];
    P67: "a record's number counts without its content: another record gets the stored answer" => ["I5"];
    P68: "the journal is replayed from one row too late on (M5)" => ["I7"];
    P69: "a row that nobody loaded is taken for one that is not there (M1)" => ["I2"];
    P70: "a terminal that contradicts itself is refused, and nothing of that is kept (M2)" => ["I5"];
    P71: "a batch that the database refused is taken as kept: its balances stay (M4)" => ["ACK", "I1", "I7"];
    P72: "after a commit of unknown outcome the process goes on (M4)" => ["I1", "BROKEN"];
    P73: "a payment is known for some minutes alone (M6)" => ["I2"];
    P74: "the book's time follows the wall clock wherever it leaps (M7)" => ["M7"];
    P75: "a wrong password is refused and not counted (M2)" => ["M2"];
    P76: "a start does not look at the anchors (M8)" => ["M8"];
    P77: "after a restore a card that is ahead is stopped like a forged one (M9)" => ["I8"];
    P78: "a restore begins no epoch: the files are copied back (M9)" => ["I8", "I5", "L4"];
    P79: "after a restore terminals hear what was acknowledged before it, and send nothing again (M9)" => ["M9", "L4"];
    P80: "order numbers are counted and repeat after a restore (M9)" => ["I2"];
    P81: "new orders are taken before the open ones of the backup were asked about (M9)" => ["M9"];
    P82: "what a forgotten load took is loaded again (M9)" => ["M9", "I8"];
    P83: "a sale that was paid before the restore is decided anew (M9)" => ["I5"];
    P84: "a sale that comes in while a load is not proved ends that load (M13)" => ["I3", "I8"];
    P85: "the card asks for a PIN before it loads (M15)" => ["L3"];
    P86: "a sale is paid in part from its source (M18)" => ["I5", "ACK"];
    P87: "a card that was found to be copied is not stopped (T1)" => ["T1"];
    P88: "after a restore nobody asks whether money that waits was given back (M9)" => ["I3", "M9"];
    P90: "a card that was reported lost still pays and is loaded on line (R82)" => ["I6"];
    P91: "the report of a lost card drops what waits for it (M23)" => ["L3"];
    P92: "a card that was reported lost is still loaded (R82)" => ["I6"];
    P93: "the report of a lost card takes a load on its way for not applied (M11)" => ["I3"];
    P94: "waiting money that went back by rule goes back once more (R36)" => ["R36", "I2r", "I4"];
    P95: "a load on its way does not keep what it carries from going back by rule (M12)" => ["I3", "I4", "R36"];
    P96: "a reminder is told again whenever somebody looks (R36)" => ["R36"];
    P97: "money of before a restore goes back although its card has not come since (M9)" => ["R36"];
    P98: "how far a receiver of events was told moves before it answered" => ["E1"];
    P99: "the last event of a delivery is passed over" => ["E1"];
    P100: "a receiver of events is not told of a restore (M9)" => ["E1"];
    P101: "an event is numbered by its sequence alone, which a restore uses again (M9)" => ["E1"];
}

impl Plant {
    /// The plant of that name.
    pub fn from_name(name: &str) -> Option<Plant> {
        Plant::ALL.iter().copied().find(|plant| plant.name() == name)
    }
}
