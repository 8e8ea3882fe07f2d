//! Holds that no POS agent makes: a terminal of another kind works with the card, by the product's commands and proofs.

use crate::Broken;
use crate::block::Office;
use crate::case::Successor;
use crate::composite::Counter;
use crate::flow::Flow;
use crate::hand::Tear;
use crate::world::World;

/// Work with the card that may be torn.
pub(crate) trait CardWork {
    /// The hold that may be torn.
    fn hold(&mut self, world: &mut World<'_>, tear: Option<Tear>) -> Result<(), Broken>;

    /// What people do after the card was torn.
    fn go_on(&mut self, world: &mut World<'_>, after: Successor) -> Result<(), Broken>;

    /// Calm holds until the work is done.
    fn calm(&mut self, world: &mut World<'_>) -> Result<(), Broken>;

    /// The book knows what the card does here, so that both are compared at the end.
    fn with_book(&self) -> bool;
}

/// Whose work a flow is; none when it is the POS agent's.
pub(crate) fn of(flow: Flow, world: &World<'_>) -> Option<Box<dyn CardWork>> {
    match flow {
        Flow::Composite => Some(Box::new(Counter::new(world))),
        Flow::Block => Some(Box::new(Office)),
        _ => None,
    }
}
