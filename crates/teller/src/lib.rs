//! The one door for money: commands, batches, one commit, then the answers.
