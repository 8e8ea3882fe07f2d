//! The platform as notices meet it: the whole router, in clear HTTP.
//!
//! The jobs that come due are left out: in life a notice comes seconds after its order; here all orders wait for theirs at
//! once, and each would be asked about at a provider that is not there.

use std::path::Path;
use std::sync::Arc;

use super::super::serving::{Bound, Serving};
use super::prepared::NO_PROVIDER;
use crate::demo::{Folder, web_config};
use crate::{Failure, listen};

/// Opens the book in `data` and answers on a free port of this machine.
pub fn start(data: &Path, keys: &Folder) -> Result<Serving, Failure> {
    let bound = Bound::new()?;
    let base = format!("http://{}", bound.address);
    let wechat = keys.channel(NO_PROVIDER, &base, Arc::clone(&bound.clock))?;
    let config = web_config(&base, NO_PROVIDER, Arc::clone(&wechat));
    Serving::start(data, keys.keyring(), wechat, bound, |listener, school, handle| {
        listen::pages(listener, web::router(web::Web::new(school, config)), None, handle)
    })
}
