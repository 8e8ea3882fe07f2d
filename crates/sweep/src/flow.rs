//! The kinds of holds that are swept, and where the end may rightly differ from that of the untorn run.

/// A kind of hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// One paid order is put on the card.
    Load,
    /// Two paid orders wait and are put on the card.
    LoadTwoItems,
    /// A second order is paid while the first is being put on the card: two loads in one hold.
    LoadTwice,
    /// An order is put on the card, then a sale is paid from the account.
    LoadThenPay,
    /// A sale is paid from the purse.
    PayPurse,
    /// An order is put on the card, then a sale is paid from it: all in one hold.
    LoadThenPayPurse,
    /// A composite purchase: balance and day counter together.
    Composite,
    /// The card office blocks the application, under secure messaging.
    Block,
    /// The hold after a torn debit that happened: the proof is asked.
    ProvePaid,
    /// The hold after a torn debit that did not happen: there is no proof.
    ProveNotPaid,
    /// The same when the clerk had given up: the platform asks for the proof.
    ProveGivenUp,
    /// The same, and it did not happen.
    ProveGivenUpNotPaid,
    /// The purse is filled from the account.
    Fill,
    /// A sale is paid from the account, then the purse is filled.
    PayThenFill,
}

/// A torn debit before the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TornBefore {
    /// The purse was debited.
    pub(crate) obeyed: bool,
    /// The clerk gave up asking for the card.
    pub(crate) given_up: bool,
}

/// How everything lies before the hold. Amounts in fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    /// On the purse.
    pub(crate) purse: i64,
    /// On the account.
    pub(crate) account: i64,
    /// Paid orders that wait for the card.
    pub(crate) waiting: &'static [i64],
    /// Paid while the first load is being put on the card.
    pub(crate) late: Option<i64>,
    /// The sale of the hold.
    pub(crate) price: Option<i64>,
    /// The setting `purse.float`.
    pub(crate) float: i64,
    /// A debit that was torn before.
    pub(crate) torn_before: Option<TornBefore>,
}

/// Where the end may differ from that of the untorn run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Differs {
    /// A request for the sale was taken back and asked for anew: the book has one more sale, without money.
    AskedAgain,
    /// What was to come in two loads came in one: the card counted one load.
    LoadsMerged,
    /// The other terminal filled the purse before the sale was paid: so the purse paid, and not the account.
    FilledFirst,
}

impl Differs {
    /// What it is.
    pub const fn what(self) -> &'static str {
        match self {
            Differs::AskedAgain => {
                "the sale was taken back and asked for anew: one more sale in the book, without money"
            }
            Differs::LoadsMerged => "two loads became one: the card's counter N is lower by one",
            Differs::FilledFirst => {
                "the other terminal filled the purse before the sale: the purse paid, not the account"
            }
        }
    }
}

const NOTHING: Scene =
    Scene { purse: 0, account: 0, waiting: &[], late: None, price: None, float: 0, torn_before: None };

const fn torn(obeyed: bool, given_up: bool) -> Option<TornBefore> {
    Some(TornBefore { obeyed, given_up })
}

/// The price of every sale.
pub(crate) const PRICE: i64 = 1_200;

impl Flow {
    /// All of them.
    pub const ALL: [Flow; 14] = [
        Flow::Load,
        Flow::LoadTwoItems,
        Flow::LoadTwice,
        Flow::LoadThenPay,
        Flow::PayPurse,
        Flow::LoadThenPayPurse,
        Flow::Composite,
        Flow::Block,
        Flow::ProvePaid,
        Flow::ProveNotPaid,
        Flow::ProveGivenUp,
        Flow::ProveGivenUpNotPaid,
        Flow::Fill,
        Flow::PayThenFill,
    ];

    /// Its name for the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Flow::Load => "load",
            Flow::LoadTwoItems => "load-two-items",
            Flow::LoadTwice => "load-twice",
            Flow::LoadThenPay => "load-then-pay",
            Flow::PayPurse => "pay-purse",
            Flow::LoadThenPayPurse => "load-then-pay-purse",
            Flow::Composite => "composite",
            Flow::Block => "block",
            Flow::ProvePaid => "prove-paid",
            Flow::ProveNotPaid => "prove-not-paid",
            Flow::ProveGivenUp => "prove-given-up",
            Flow::ProveGivenUpNotPaid => "prove-given-up-not-paid",
            Flow::Fill => "fill",
            Flow::PayThenFill => "pay-then-fill",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Flow> {
        Flow::ALL.into_iter().find(|flow| flow.name() == name)
    }

    /// Where its end may differ. Each of them happens in the sweep, or the table is wrong.
    pub const fn differs(self) -> &'static [Differs] {
        match self {
            Flow::LoadTwice => &[Differs::LoadsMerged],
            Flow::PayPurse | Flow::LoadThenPayPurse | Flow::ProveNotPaid => &[Differs::AskedAgain],
            Flow::PayThenFill => &[Differs::FilledFirst],
            Flow::Load
            | Flow::LoadTwoItems
            | Flow::LoadThenPay
            | Flow::Composite
            | Flow::Block
            | Flow::ProvePaid
            | Flow::ProveGivenUp
            | Flow::ProveGivenUpNotPaid
            | Flow::Fill => &[],
        }
    }

    /// Where it may differ when a second hold is torn as well: then any sale may have to be asked for anew.
    pub const fn differs_twice(self) -> &'static [Differs] {
        match (self, self.scene().price) {
            (Flow::PayThenFill, _) => &[Differs::FilledFirst, Differs::AskedAgain],
            (_, Some(_)) => &[Differs::AskedAgain],
            (_, None) => self.differs(),
        }
    }

    pub(crate) const fn scene(self) -> Scene {
        let (price, purse) = (Some(PRICE), 5_000);
        match self {
            Flow::Load => Scene { waiting: &[5_000], ..NOTHING },
            Flow::LoadTwoItems => Scene { waiting: &[2_000, 3_000], ..NOTHING },
            Flow::LoadTwice => Scene { waiting: &[2_000], late: Some(3_000), ..NOTHING },
            Flow::LoadThenPay => Scene { account: 9_000, waiting: &[5_000], price, ..NOTHING },
            Flow::PayPurse => Scene { purse, price, ..NOTHING },
            Flow::LoadThenPayPurse => Scene { waiting: &[5_000], price, ..NOTHING },
            Flow::Composite | Flow::Block => Scene { purse, ..NOTHING },
            Flow::ProvePaid => Scene { purse, price, torn_before: torn(true, false), ..NOTHING },
            Flow::ProveNotPaid => Scene { purse, price, torn_before: torn(false, false), ..NOTHING },
            Flow::ProveGivenUp => Scene { purse, price, torn_before: torn(true, true), ..NOTHING },
            Flow::ProveGivenUpNotPaid => Scene { purse, price, torn_before: torn(false, true), ..NOTHING },
            Flow::Fill => Scene { account: 9_000, float: 10_000, ..NOTHING },
            Flow::PayThenFill => Scene { account: 9_000, price, float: 10_000, ..NOTHING },
        }
    }
}
