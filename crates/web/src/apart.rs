//! Work that goes on to its end, whether or not anybody still waits for it.

use std::panic::resume_unwind;

use flows::unavailable::Unavailable;

use crate::failure::Failure;

/// Does `work` to its end.
///
/// A browser that closes its connection, and the deadline of a request, drop a handler where it stands. A try at a password
/// is counted before it is compared: dropped in between, a right password would stay counted as a wrong one. Errors:
/// the server stops.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(stopped) if stopped.is_panic() => resume_unwind(stopped.into_panic()),
        Err(_) => Err(Unavailable::from(teller::Fault::Stopping).into()),
    }
}
