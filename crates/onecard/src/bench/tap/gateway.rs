//! The platform as terminals meet it: the gateway over mutual TLS. Nobody looks at pages, and nothing comes due within a run.

use std::path::Path;
use std::sync::Arc;

use super::super::serving::{Bound, Serving};
use super::school::Paid;
use crate::engine::no_channel::NoChannel;
use crate::{Failure, listen};

/// Opens the book in `data` and answers on a free port of this machine.
pub fn start(data: &Path, paid: &Paid) -> Result<Serving, Failure> {
    let bound = Bound::new()?;
    let (host, authority) = (bound.address.ip().to_string(), paid.authority()?);
    Serving::start(data, paid.keys().keyring(), Arc::new(NoChannel), bound, |listener, school, handle| async move {
        listen::terminals(listener, school, &authority, &host, handle).await
    })
}
