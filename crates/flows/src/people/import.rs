//! A roster becomes accounts, one command a person, so that one bad row hinders no other and a broken import goes on where
//! it stopped (R1).

use std::collections::{BTreeMap, VecDeque};

use ledger::Micros;
use rules::ids::PersonId;
use rules::password::{Password, Secret};
use rules::person::{Admission, AdmitRefusal, Person, Standing, admit};
use rules::roster::{Document, Entry};
use rules::words::Words;
use teller::{Command, Desk, Fault, Halt, Rejected, Seen};

use crate::ports::Field;
use crate::rows::{Campus, Key, Row};
use crate::school::fault_words;
use crate::{ReadFault, School, desk};

/// Commands handed to the teller before their answers are waited for.
const IN_FLIGHT: usize = 200;

/// What became of a row of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An account was opened, or would be.
    Added,
    /// The number and the document have their account already; it stays as it is, whatever else the row says.
    Already,
    /// It contradicts an account.
    Refused(AdmitRefusal),
    /// Nothing was decided; the same import again goes on here.
    NotDone(Fault),
}

impl Outcome {
    /// What the person who imports is told; `None` when all is well.
    pub fn words(&self) -> Option<Words> {
        match self {
            Outcome::Added | Outcome::Already => None,
            Outcome::Refused(refusal) => Some(refusal.words()),
            Outcome::NotDone(fault) => Some(fault_words(fault)),
        }
    }
}

/// One row of the roster and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The row as the spreadsheet counts it.
    pub row_number: u32,
    /// Student or staff number.
    pub number: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// An import, row by row in the roster's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Every row that was given.
    pub lines: Vec<Line>,
}

impl ImportReport {
    fn count(&self, counts: impl Fn(&Outcome) -> bool) -> usize {
        self.lines.iter().filter(|line| counts(&line.outcome)).count()
    }

    /// Accounts opened, or that would be.
    pub fn added(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Added))
    }

    /// Rows whose account was there.
    pub fn already(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Already))
    }

    /// Rows that contradict an account.
    pub fn refused(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Refused(_)))
    }

    /// Rows on which nothing was decided.
    pub fn not_done(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::NotDone(_)))
    }
}

/// Opens an account for everyone in `entries` who has none, with the first password (R25) and no card.
///
/// With `dry_run` nothing is changed and the report says what would become of each row now.
/// Errors: a committed row could not be read (`dry_run` alone). What a row meets stands in its line.
/// Repeats: rows of the first import are `Already`. Source: R1.
pub async fn import(school: &School, entries: Vec<Entry>, dry_run: bool) -> Result<ImportReport, ReadFault> {
    if dry_run { foresee(school, &entries).await } else { Ok(admit_all(school, &entries).await) }
}

/// Hands in up to [`IN_FLIGHT`] commands, waits for all of them, and again. What the teller is too busy for is handed in
/// once more, as long as it takes any; when it takes none, or has to stop, the rest is left undone.
async fn admit_all(school: &School, entries: &[Entry]) -> ImportReport {
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    let mut queue: VecDeque<(usize, &Entry)> = entries.iter().enumerate().collect();
    let mut gone = None;
    while gone.is_none() && !queue.is_empty() {
        let chunk: Vec<_> = queue.drain(..queue.len().min(IN_FLIGHT)).collect();
        let in_flight: Vec<_> = chunk.iter().map(|(_, entry)| school.submit(Admit::of(school, entry))).collect();
        let (mut taken, mut busy) = (false, Vec::new());
        for (row, answer) in chunk.into_iter().zip(in_flight) {
            let outcome = match answer.await {
                Ok(outcome) => outcome,
                Err(Rejected::Refused(refusal)) => Outcome::Refused(refusal),
                Err(Rejected::Fault(Fault::Busy)) => {
                    busy.push(row);
                    continue;
                }
                Err(Rejected::Fault(fault)) => {
                    if matches!(fault, Fault::Full | Fault::Stopping) {
                        gone = Some(fault.clone());
                    }
                    Outcome::NotDone(fault)
                }
            };
            taken = true;
            outcomes.insert(row.0, outcome);
        }
        if !taken {
            gone = Some(Fault::Busy);
        }
        queue.extend(busy);
    }
    let rest = Outcome::NotDone(gone.unwrap_or(Fault::Busy));
    let outcome = |at| outcomes.remove(&at).unwrap_or_else(|| rest.clone());
    report(entries, outcome)
}

fn report(entries: &[Entry], mut outcome: impl FnMut(usize) -> Outcome) -> ImportReport {
    let line = |(at, entry): (usize, &Entry)| Line {
        row_number: entry.row_number,
        number: entry.number.clone(),
        outcome: outcome(at),
    };
    ImportReport { lines: entries.iter().enumerate().map(line).collect() }
}

/// What an import would do, by what is committed and by the rows before.
async fn foresee(school: &School, entries: &[Entry]) -> Result<ImportReport, ReadFault> {
    let mut taken: BTreeMap<Key, PersonId> = BTreeMap::new();
    let mut outcomes = VecDeque::new();
    for chunk in entries.chunks(IN_FLIGHT) {
        let keys: Vec<Key> = chunk.iter().flat_map(|entry| natural_keys(school, entry)).collect();
        let rows = school.rows(&keys).await?;
        let holders = rows.iter().map(|row| row.as_ref().and_then(Row::holder).copied());
        let known = keys.iter().cloned().zip(holders).filter_map(|(key, holder)| Some((key, holder?)));
        taken.extend(known);
        for entry in chunk {
            let [number, document] = natural_keys(school, entry);
            let found = admit(taken.get(&number).copied(), taken.get(&document).copied());
            outcomes.push_back(match found {
                Ok(Admission::New) => {
                    let id = PersonId(school.new_id());
                    taken.extend([(number, id), (document, id)]);
                    Outcome::Added
                }
                Ok(Admission::Already(_)) => Outcome::Already,
                Err(refusal) => Outcome::Refused(refusal),
            });
        }
    }
    Ok(report(entries, |_| outcomes.pop_front().unwrap_or(Outcome::NotDone(Fault::Busy))))
}

/// The rows that keep a number and a document to one person.
fn natural_keys(school: &School, entry: &Entry) -> [Key; 2] {
    let document = entry.document.number().expose_for("its keyed hash finds the holder");
    [Key::Number(entry.number.clone()), Key::Document(school.secrets.lookup(Field::IdentityNumber, document))]
}

/// Opens one account. A number and a document belong to one person for ever.
struct Admit {
    id: PersonId,
    keys: [Key; 2],
    person: Person,
}

impl Admit {
    fn of(school: &School, entry: &Entry) -> Admit {
        let id = PersonId(school.new_id());
        let seal = |field, plain: &String| school.secrets.seal(field, id.0, plain);
        let document = entry.document.number().expose_for("it is sealed at once");
        let person = Person {
            number: entry.number.clone(),
            category: entry.category,
            department: entry.department.clone().unwrap_or_default(),
            name: seal(Field::Name, entry.name.expose_for("it is sealed at once")),
            document: seal(Field::IdentityNumber, document),
            identity_card: matches!(entry.document, Document::IdentityCard { .. }),
            phone: entry.phone.as_ref().map(|phone| seal(Field::Phone, phone.expose_for("it is sealed at once"))),
            standing: Standing::Open,
            opened_at: Micros::default(),
            password: Password { secret: Secret::Initial, tries: 0, locked_until: None },
            card: None,
        };
        Admit { id, keys: natural_keys(school, entry), person }
    }
}

impl Command<Campus> for Admit {
    type Answer = Outcome;
    type Refusal = AdmitRefusal;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        self.keys.iter().cloned().chain([Key::Person(self.id)]).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Outcome, Halt<Campus, AdmitRefusal>> {
        let [number, document] = &self.keys;
        let by_number = desk.get(number)?.and_then(Row::holder).copied();
        let by_document = desk.get(document)?.and_then(Row::holder).copied();
        match admit(by_number, by_document).map_err(Halt::Refuse)? {
            Admission::Already(_) => Ok(Outcome::Already),
            Admission::New if desk::person(desk, self.id)?.is_some() => {
                Err(Halt::Broken("an identifier was drawn twice: the source of chance does not work".to_owned()))
            }
            Admission::New => {
                let person = Person { opened_at: desk.now(), ..self.person.clone() };
                desk.put(Key::Person(self.id), Row::Person(Box::new(person)))?;
                desk.put(number.clone(), Row::Holder(self.id))?;
                desk.put(document.clone(), Row::Holder(self.id))?;
                Ok(Outcome::Added)
            }
        }
    }
}
