//! The providers' side of the payment protocols, to try and to test.
