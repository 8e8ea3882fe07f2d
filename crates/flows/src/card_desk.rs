//! The holder's own card: what it is and what it was (R3), and reporting it lost (挂失, R82).
//!
//! A report touches no money: what is in the account and what waits stays the holder's (M23, R21), and what is on its way to
//! the card ends as the card proves. What the report does to terminals needs no message: each of them asks about every card
//! that is held to it, and the answer is decided after the report.

use ledger::{Id, Micros};
use rules::card::{self, Actor, Card, Change, Event, LossRefusal, Place, Refusal, Report, Reports, Why, report_lost};
use rules::ids::{CardNo, CaseId, EnrolmentId, PersonId};
use rules::message::Message;
use rules::words::Words;
use teller::{Command, Desk, Fault, Halt, Rejected, Seen};

use crate::home::{Home, home};
use crate::ports::ListAsk;
use crate::rows::{Campus, FormNote, Key, Row, lists};
use crate::school::fault_words;
use crate::{ReadFault, School, alarm, inbox};

/// Changes of a holder's cards that are shown: more than anybody has in years.
const MOST_CHANGES: u32 = 100;

/// Moves a card by one event, and writes down for ever who did it, where and why (R3). The caller writes the card.
pub(crate) fn happen(
    desk: &mut Desk<'_, Campus>,
    card: &mut Card,
    event: Event,
    (by, place, why): (Actor, Place, Why),
) -> Result<(), Refusal> {
    let (from, to) = (card.state, card::decide(card.state, event)?);
    let (id, at) = (desk.new_id(), desk.now());
    (card.state, card.since) = (to, at);
    let change = Change { id, card: card.no, person: card.person, from, to, at, by, place, why };
    desk.insert_new(Key::CardChange(card.no, id), Row::CardChange(change));
    Ok(())
}

/// Stops a card after the alarm of this case, which came of something at that terminal; one that is stopped already stays as
/// it is. The caller writes the card.
pub(crate) fn stop(desk: &mut Desk<'_, Campus>, card: &mut Card, at: EnrolmentId, case: CaseId) {
    // The refusal says that it is out of use: then there is nothing to stop.
    let _ = happen(desk, card, Event::Freeze, (Actor::Platform, Place::Terminal(at), Why::Alarm(case)));
}

/// Reports a card lost. Keyed by the form, so that one that comes late does not report a card that was unfrozen since.
struct ReportLoss {
    person: PersonId,
    card: CardNo,
    place: Place,
    form: [u8; 16],
    input: [u8; 32],
}

struct Decided {
    reported: Reported,
    /// The first of too many reports.
    alarm: bool,
}

impl Command<Campus> for ReportLoss {
    type Answer = Decided;
    type Refusal = LossRefusal;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let person = Key::Person(self.person);
        let mut keys = vec![Key::Form(self.person, self.form), Key::LossReports(self.person)];
        keys.extend(seen.row(&person).and_then(Row::person).and_then(|holder| holder.card).map(Key::Card));
        keys.extend(inbox::needs(seen, self.person));
        keys.push(person);
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Decided, Halt<Campus, LossRefusal>> {
        let form = Key::Form(self.person, self.form);
        if let Some(note) = desk.get(&form)?.and_then(Row::form) {
            return match note.input == self.input {
                true => {
                    let since = effect_of(note.made);
                    Ok(Decided { reported: Reported { card: self.card, since, first: false }, alarm: false })
                }
                false => Err(Halt::Refuse(LossRefusal::FormReused)),
            };
        }
        let own = desk.get(&Key::Person(self.person))?.and_then(Row::person).and_then(|holder| holder.card);
        let card = match own {
            Some(no) => desk.get(&Key::Card(no))?.and_then(Row::card).cloned(),
            None => None,
        };
        let report = report_lost(card.as_ref(), self.card).map_err(Halt::Refuse)?;
        let (since, first) = match (report, card) {
            (Report::TakesEffect, Some(mut card)) => {
                happen(desk, &mut card, Event::ReportLost, (Actor::Holder, self.place, Why::ReportedLost))
                    .map_err(|refusal| Halt::Broken(refusal.to_string()))?;
                let since = card.since;
                inbox::tell(desk, self.person, Message::CardLost { card: card.no })?;
                desk.put(Key::Card(card.no), Row::Card(card))?;
                (since, true)
            }
            (Report::TakesEffect, None) => return Err(Halt::Refuse(LossRefusal::NoCard)),
            (Report::Holds { since }, _) => (since, false),
        };
        let before = desk.get(&Key::LossReports(self.person))?.and_then(Row::loss_reports).copied();
        let reports = Reports::with_one_more(before, desk.now());
        // Whoever reports on and on changes nothing and writes nothing any more.
        if first || !reports.too_many() || reports.first_too_many() {
            let note = FormNote { input: self.input, made: as_made(since), at: desk.now() };
            desk.put(form, Row::Form(note))?;
            desk.put(Key::LossReports(self.person), Row::LossReports(reports))?;
        }
        Ok(Decided { reported: Reported { card: self.card, since, first }, alarm: reports.first_too_many() })
    }
}

/// A report makes no row of its own: its form keeps the time of effect, in microseconds since 1970.
fn as_made(since: Micros) -> Id {
    Id::new(u128::from(since.get().unsigned_abs()))
}

fn effect_of(made: Id) -> Micros {
    Micros::new(i64::try_from(made.get()).unwrap_or(i64::MAX))
}

/// A card that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Which.
    pub card: CardNo,
    /// Since when every purchase, load and door on line is refused to it.
    pub since: Micros,
    /// This report did it; else it held already.
    pub first: bool,
}

/// Why a card was not reported lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReported {
    /// There is nothing to report, as the rules say.
    Refused(LossRefusal),
    /// The server could not do it; nothing was done, or it is not known whether.
    Fault(Fault),
}

impl NotReported {
    /// What the holder is told.
    pub fn words(&self) -> Words {
        match self {
            NotReported::Refused(refusal) => refusal.words(),
            NotReported::Fault(fault) => fault_words(fault),
        }
    }
}

/// Reports the card `card` of `person` lost; once this answers, no hold, load or sale of it on line is granted any more.
///
/// Errors: the words of [`LossRefusal`], in its order; [`NotReported::Fault`] when nothing could be decided.
/// Repeats: a card that is lost stays as it is, and the answer is its first time of effect; the same form again gives the same
/// time, whatever became of the card since. However often it is asked, it is never refused for that. Source: R82, R3, M23.
pub async fn report_loss(
    school: &School,
    person: PersonId,
    card: CardNo,
    place: Place,
    form: [u8; 16],
) -> Result<Reported, NotReported> {
    let command = ReportLoss { person, card, place, form, input: input_hash(card) };
    match school.submit(command).await {
        Ok(Decided { reported, alarm }) => {
            if alarm {
                alarm::many_loss_reports(person, school.now());
            }
            Ok(reported)
        }
        Err(Rejected::Refused(refusal)) => Err(NotReported::Refused(refusal)),
        Err(Rejected::Fault(fault)) => Err(NotReported::Fault(fault)),
    }
}

fn input_hash(card: CardNo) -> [u8; 32] {
    let change = ledger::row_digest("loss report", b"", Some(card.to_string().as_bytes()));
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(change.key.iter().chain(&change.content)) {
        *to = *from;
    }
    hash
}

/// A holder's card, its money and its story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardPage {
    /// The card that the holder has now, if any, or had last.
    pub card: Option<Card>,
    /// Where the money is: of it, what is on the card, on its way there and waiting for it.
    pub home: Home,
    /// Changes of all cards of the holder, newest first.
    pub story: Vec<Told>,
}

/// A change of a card, with the terminal's place by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The change.
    pub change: Change,
    /// Where the terminal stands, in Chinese and in English.
    pub terminal: Option<(String, String)>,
}

impl CardPage {
    /// The change that made the card what it is now; none of a card that is older than its story.
    pub fn newest(&self) -> Option<&Change> {
        let card = self.card.as_ref()?;
        self.story.iter().map(|told| &told.change).find(|change| change.card == card.no && change.to == card.state)
    }
}

/// The card of `person` with its story; `None` for somebody who is not a holder. Changes nothing. Source: R3.
pub async fn card_page(school: &School, person: PersonId) -> Result<Option<CardPage>, ReadFault> {
    let Some(home) = home(school, person).await? else { return Ok(None) };
    let card = match home.card {
        Some((no, _)) => school.row(&Key::Card(no)).await?.and_then(|row| row.card().cloned()),
        None => None,
    };
    let story = story(school, person).await?;
    Ok(Some(CardPage { card, home, story }))
}

async fn story(school: &School, person: PersonId) -> Result<Vec<Told>, ReadFault> {
    let owner = person.0.bytes().to_vec();
    let (from, to, most) = (i64::MIN, i64::MAX, MOST_CHANGES);
    let ask = ListAsk { list: lists::CARD_CHANGES, owner, from, to, backwards: true, most };
    let listed = school.list(ask).await?;
    let keys: Vec<Key> = listed.iter().filter_map(|listed| change_key(&listed.key)).collect();
    let mut story = Vec::with_capacity(keys.len());
    for change in school.rows(&keys).await?.iter().flatten().filter_map(Row::card_change) {
        let terminal = match change.place {
            Place::Terminal(at) => school.row(&Key::Enrolment(at)).await?.and_then(|row| row.enrolment().cloned()),
            Place::Pages | Place::WeChat | Place::Program | Place::Office => None,
        };
        story.push(Told { change: *change, terminal: terminal.map(|at| (at.place_zh, at.place_en)) });
    }
    Ok(story)
}

/// Card and change of a place in the list.
fn change_key(key: &[u8]) -> Option<Key> {
    let (card, id) = key.split_first_chunk::<8>()?;
    Some(Key::CardChange(CardNo(u64::from_be_bytes(*card)), Id::from_bytes(id.try_into().ok()?)))
}
