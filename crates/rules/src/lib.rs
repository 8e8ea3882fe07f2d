//! What the campus allows: state machines and numbers. Pure.
