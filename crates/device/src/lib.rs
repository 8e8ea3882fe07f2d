//! Terminals: readers, agents and the uplink.
