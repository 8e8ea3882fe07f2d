//! What happened, for a person who looks for the cause of a failure. A run writes notes only when asked to, because a
//! failing seed can be run again.

/// Whom a note concerns. A card has its holder's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) holder: Option<usize>,
    pub(crate) till: Option<usize>,
}

impl Who {
    pub(crate) const NOBODY: Who = Who { holder: None, till: None };

    pub(crate) const fn holder(holder: usize) -> Who {
        Who { holder: Some(holder), till: None }
    }

    pub(crate) const fn till(till: usize) -> Who {
        Who { holder: None, till: Some(till) }
    }

    pub(crate) const fn both(holder: Option<usize>, till: usize) -> Who {
        Who { holder, till: Some(till) }
    }

    fn concerns(self, other: Who) -> bool {
        let same = |mine: Option<usize>, theirs: Option<usize>| mine.is_some() && mine == theirs;
        match (self.holder, self.till) {
            (None, None) => true,
            (Some(_), _) => same(self.holder, other.holder),
            (None, Some(_)) => same(self.till, other.till),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
struct Note {
    event: u64,
    at: i64,
    who: Who,
    text: String,
}

/// The notes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    wanted: bool,
    aloud: bool,
    list: Vec<Note>,
}

impl Notes {
    /// `wanted`: keep them. `aloud`: print each at once.
    pub(crate) const fn new(wanted: bool, aloud: bool) -> Notes {
        Notes { wanted, aloud, list: Vec::new() }
    }

    /// Keeps a note; `text` is made only when somebody wants it.
    pub(crate) fn add(&mut self, event: u64, at: i64, who: Who, text: impl FnOnce() -> String) {
        if !self.wanted {
            return;
        }
        let note = Note { event, at, who, text: text() };
        if self.aloud {
            println!("{}", line(&note));
        }
        self.list.push(note);
    }

    /// The last notes that concern somebody, oldest first.
    pub(crate) fn last(&self, count: usize, who: Who) -> Vec<String> {
        let mut last: Vec<String> =
            self.list.iter().rev().filter(|note| who.concerns(note.who)).take(count).map(line).collect();
        last.reverse();
        last
    }
}

fn line(note: &Note) -> String {
    let seconds = note.at.div_euclid(1_000_000);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let micros = note.at.rem_euclid(1_000_000);
    let mut who = String::new();
    if let Some(holder) = note.who.holder {
        who.push_str(&format!(" holder {holder}"));
    }
    if let Some(till) = note.who.till {
        who.push_str(&format!(" till {till}"));
    }
    format!("{:>8} {hours:>3}:{minutes:02}:{rest:02}.{micros:06}{who}: {}", note.event, note.text)
}
