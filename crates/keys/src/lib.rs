//! Secrets and card keys behind the ports of `flows`.
