//! Double-entry book: money, time, accounts, transfers, journal rows and the chain over them. Pure.
