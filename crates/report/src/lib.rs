//! Documents in and out: rosters.
