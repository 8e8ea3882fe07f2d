//! Where the book is kept: SQLite and memory, one contract.
