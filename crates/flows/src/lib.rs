//! One file per thing a person does: async outside, pure inside.

pub mod ports;
