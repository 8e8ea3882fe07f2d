//! Electronic purse card: APDUs, cryptography, the card's side, the terminal's side and the host's side. Pure.
