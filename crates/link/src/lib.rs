//! Messages between terminals and the platform, and their CBOR form. Pure.
