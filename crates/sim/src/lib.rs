//! Deterministic simulator: world, faults, actors, independent checker, planted bugs.
