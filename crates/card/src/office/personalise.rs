//! A blank card becomes a card of the school.
//!
//! The order of writing makes an interrupted run repeatable: files and keys first, each looked for before it is made; the
//! public file, by which the card is known, near the end; the control key last. A card that opens with the school's control
//! key is therefore finished, and is only checked: somebody's money may be on it, so nothing that it says condemns it.
//!
//! A card that is known has all its keys, so that it proves them by INTERNAL AUTHENTICATE before any is tried on it.

use super::{Made, OfficeFault, Order, Transmit, ask, authenticate, challenge, command, look, named};
use crate::crypto::{Algorithm, Key16};
use crate::files::{COUNTER_FILE, COUNTER_RECORD_LENGTH, CardNumber, DayCounter, PUBLIC_FILE, PublicFile};
use crate::filesystem::FileForm;
use crate::holder::HolderFile;
use crate::host::{KeySet, LoadOpening};
use crate::keystore::{CONTROL_KEY, OFFICE_KEY, OfficeUse, SM4_KEYS};
use crate::profile::{
    DIRECTORY_ID, HOLDER_ID, PUBLIC_ID, PURSE_DF, ROOT_ID, application_form, directory_form, directory_record,
    purse_forms,
};
use crate::session::{Kind, Suite, Terms};
use crate::status::Status;
use crate::terminal::{self, CardFault, LoadAnswer, PurchaseAnswer};

/// Short identifier of the holder's file.
const HOLDER_FILE: u8 = 0x16;
/// Terminal id of the check at the end.
const CHECK_TERMINAL: [u8; 6] = [0; 6];
/// Amount of the check; nothing is released.
const CHECK_AMOUNT: u32 = 1;
/// The issuer's two bytes on cards from before they named the maintenance key.
const UNSAID: [u8; 2] = [0; 2];

/// Makes the card of `order`, or finishes one of an interrupted run, or checks one that is finished.
///
/// Shape: the card was just put on the reader; `transmit` never sends a command twice.
/// Errors: see [`OfficeFault`]; each says whether to start again, to take another card, or to destroy this one.
/// Repeats: run again with the same order until it is `Ok`. A finished card keeps its money, counters and log; only its
/// holder's file follows the order.
pub fn personalise(transmit: &mut Transmit<'_>, order: &Order) -> Result<Made, OfficeFault> {
    let card = CardNumber::of_serial(order.serial);
    ask(transmit, "select its root", &command::select_file(ROOT_ID))?;
    let named_already = match public_file(transmit)? {
        Some(public) if public.serial == order.serial => {
            prove_ordered(transmit, order, &public)?;
            true
        }
        Some(public) if public.serial != [0; 10] => return Err(OfficeFault::OtherCard(public.card())),
        _ => false,
    };
    ask(transmit, "select its root", &command::select_file(ROOT_ID))?;
    let finished = open(transmit, order, named_already)?;
    if !finished {
        let control = (order.transport_algorithm, &order.transport);
        make_root(transmit, control)?;
        make_files(transmit, order)?;
        write_keys(transmit, order, control)?;
        write_files(transmit, order)?;
        // Before the maker's key is gone: a card of another type can still be made over.
        check_all_keys(transmit, order, true).map_err(|fault| match fault {
            OfficeFault::NotProved(what) => OfficeFault::OtherKeys(what),
            other => other,
        })?;
        let form = order.set.control_form(order.profile.key_version);
        let challenge = challenge(transmit)?;
        let command = command::write_key(control.0, control.1, challenge, &form);
        ask(transmit, "take its control key", &command.map_err(|_| OfficeFault::TooLong("the control key"))?)?;
    }
    let renewed =
        check(transmit, order, !finished).map_err(|fault| if finished { of_finished(fault) } else { fault })?;
    Ok(Made { card, written: !finished, renewed })
}

/// Version of the keys that the card with this serial number was made with, as it says itself; `None` for a blank card and
/// for another one. Take it for the order of a card that may be finished: the school may have newer masters since.
///
/// Errors: `NoAnswer`, `Malformed`, `Refused`, `OtherForm`. Costs no try and changes nothing.
pub fn key_version_of(transmit: &mut Transmit<'_>, serial: [u8; 10]) -> Result<Option<u8>, OfficeFault> {
    ask(transmit, "select its root", &command::select_file(ROOT_ID))?;
    let Some(public) = public_file(transmit)?.filter(|public| public.serial == serial) else {
        return Ok(None);
    };
    if public.issuer_data != UNSAID {
        let [version, _] = public.issuer_data;
        return Ok(Some(version));
    }
    for key in [0x01, 0x01 | SM4_KEYS] {
        let answer = LoadAnswer::parse(&transmit(&terminal::init_load_with(key, CHECK_AMOUNT, CHECK_TERMINAL)));
        match answer {
            Ok(answer) => return Ok(Some(answer.key_version)),
            Err(CardFault::NoAnswer) => return Err(OfficeFault::NoAnswer("open a load")),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// What a finished card is told instead: it may hold money, and may be as it was ordered at its time.
fn of_finished(fault: OfficeFault) -> OfficeFault {
    match fault {
        OfficeFault::NotProved(what) => OfficeFault::Differs(what),
        OfficeFault::Refused { step, status } => OfficeFault::RefusedFinished { step, status },
        other => other,
    }
}

/// A card that is known under this number must be of the ordered keys. It says so and proves it: a key that is not the
/// card's would cost a try.
fn prove_ordered(transmit: &mut Transmit<'_>, order: &Order, public: &PublicFile) -> Result<(), OfficeFault> {
    let set = &order.set;
    let ordered = [order.profile.key_version, set.suite.algorithm().identifier()];
    let [version, algorithm] = public.issuer_data;
    if public.issuer_data != UNSAID && public.issuer_data != ordered {
        return Err(OfficeFault::MadeUnder { version, algorithm });
    }
    match prove_self(transmit, order, set) {
        Ok(true) => Ok(()),
        Err(OfficeFault::Refused { status: Status::UnknownKey, .. }) | Ok(false) => Err(OfficeFault::ForeignKeys),
        Err(fault) => Err(fault),
    }
}

/// Whether the card has its own key of this set.
fn prove_self(transmit: &mut Transmit<'_>, order: &Order, set: &KeySet) -> Result<bool, OfficeFault> {
    let text: Vec<u8> = order.serial.iter().copied().cycle().take(16).collect();
    let command = command::internal_authenticate(OFFICE_KEY | key_offset(set), &text);
    let proof = ask(transmit, "prove itself", &command)?;
    Ok(proof == set.suite.algorithm().seal(&set.office_key(OfficeUse::Card), &text))
}

/// The public file, if the card has come that far.
fn public_file(transmit: &mut Transmit<'_>) -> Result<Option<PublicFile>, OfficeFault> {
    let step = "show its public file";
    if look(transmit, "select the purse", &command::select_file(PURSE_DF))?.is_none() {
        return Ok(None);
    }
    let Some(bytes) = look(transmit, step, &terminal::read_binary(PUBLIC_FILE, 0))? else {
        return Ok(None);
    };
    PublicFile::decode(&bytes).map(Some).map_err(|_| OfficeFault::OtherForm(PUBLIC_ID))
}

/// Authenticates with the more likely of the two control keys first: a wrong one costs a try, which the right one gives
/// back. True when the card has the school's.
fn open(transmit: &mut Transmit<'_>, order: &Order, named_already: bool) -> Result<bool, OfficeFault> {
    for own in [named_already, !named_already] {
        let own_key = order.set.office_key(OfficeUse::Control);
        let (algorithm, key) =
            if own { (order.set.suite.algorithm(), &own_key) } else { (order.transport_algorithm, &order.transport) };
        match authenticate(transmit, algorithm, key, CONTROL_KEY) {
            Ok(true) => return Ok(own),
            Ok(false) => {}
            // It is somebody's, who may have money on it.
            Err(OfficeFault::Locked) if named_already => return Err(OfficeFault::LockedKey("control key")),
            Err(fault) => return Err(fault),
        }
    }
    Err(OfficeFault::ForeignKeys)
}

fn make_root(transmit: &mut Transmit<'_>, (algorithm, key): (Algorithm, &Key16)) -> Result<(), OfficeFault> {
    make(transmit, directory_form())?;
    ask(transmit, "select its root", &command::select_file(ROOT_ID))?;
    let record = directory_record();
    let first = terminal::read_record(1, 1);
    if look(transmit, "show its directory", &first)?.is_none() {
        let challenge = challenge(transmit)?;
        let append = command::append_record(algorithm, key, challenge, 1, &record);
        ask(transmit, "name the purse", &append.map_err(|_| OfficeFault::TooLong("the directory"))?)?;
    }
    Ok(())
}

fn make_files(transmit: &mut Transmit<'_>, order: &Order) -> Result<(), OfficeFault> {
    if look(transmit, "select the purse", &command::select_file(PURSE_DF))?.is_none() {
        ask(transmit, "make the purse application", &command::create_file(application_form()))?;
        ask(transmit, "select the purse", &command::select_file(PURSE_DF))?;
    }
    purse_forms(&order.switches).into_iter().try_for_each(|form| make(transmit, form))
}

/// Makes a file in the directory that is selected, unless it is there in just that form.
fn make(transmit: &mut Transmit<'_>, form: FileForm) -> Result<(), OfficeFault> {
    let (id, expected) = (form.id, form.encode());
    match look(transmit, "show a file", &command::select_file(id))? {
        None => ask(transmit, "make a file", &command::create_file(form)).map(|_| ()),
        Some(control) if describes(&control, &expected) => Ok(()),
        Some(_) => Err(OfficeFault::OtherForm(id)),
    }
}

/// Whether file control information holds this form in its element 82.
fn describes(control: &[u8], form: &[u8]) -> bool {
    matches!(control, [0x6F, _, 0x82, length, rest @ ..] if rest.get(..usize::from(*length)) == Some(form))
}

fn write_keys(
    transmit: &mut Transmit<'_>,
    order: &Order,
    (algorithm, control): (Algorithm, &Key16),
) -> Result<(), OfficeFault> {
    let sets = std::iter::once(&order.set).chain(&order.others);
    let forms: Vec<_> = sets.flat_map(|set| set.forms(order.profile.key_version, order.pin.is_some())).collect();
    for form in forms {
        let challenge = challenge(transmit)?;
        let command = command::write_key(algorithm, control, challenge, &form);
        ask(transmit, "take a key", &command.map_err(|_| OfficeFault::TooLong("a key"))?)?;
    }
    if let Some(pin) = &order.pin {
        let challenge = challenge(transmit)?;
        let command = command::write_pin(algorithm, control, challenge, 0x00, pin);
        ask(transmit, "take its PIN", &command.map_err(|_| OfficeFault::TooLong("the PIN"))?)?;
    }
    Ok(())
}

/// Under the card's new maintenance key, which is thereby tried.
fn write_files(transmit: &mut Transmit<'_>, order: &Order) -> Result<(), OfficeFault> {
    let set = &order.set;
    write_holder(transmit, order)?;
    let given = challenge(transmit)?;
    let counter = command::update_record(set, given, (COUNTER_FILE, 1), &DayCounter::NEW.encode());
    ask(transmit, "take its day counter", &counter.map_err(|_| OfficeFault::TooLong("the counter"))?)?;

    let given = challenge(transmit)?;
    let public = order.profile.public_file(order.serial, order.set.suite.algorithm()).encode();
    let public = command::update_binary(set, given, (PUBLIC_FILE, 0), &public, false);
    ask(transmit, "take its number", &public.map_err(|_| OfficeFault::TooLong("the number"))?)?;
    Ok(())
}

fn write_holder(transmit: &mut Transmit<'_>, order: &Order) -> Result<(), OfficeFault> {
    let given = challenge(transmit)?;
    let holder = command::update_binary(&order.set, given, (HOLDER_FILE, 0), &order.holder.encode(), true);
    ask(transmit, "take its holder", &holder.map_err(|_| OfficeFault::TooLong("the holder"))?).map(|_| ())
}

fn holder_is_ordered(transmit: &mut Transmit<'_>, order: &Order) -> Result<bool, OfficeFault> {
    let holder = ask(transmit, "show its holder", &terminal::read_binary(HOLDER_FILE, HolderFile::LENGTH))?;
    Ok(HolderFile::decode(&holder) == Ok(order.holder))
}

/// Reads everything back and lets the card prove its keys, as every terminal will. True when the holder's file of a
/// finished card was written anew: people change their names, and students become staff.
fn check(transmit: &mut Transmit<'_>, order: &Order, fresh: bool) -> Result<bool, OfficeFault> {
    ask(transmit, "select its root", &command::select_file(ROOT_ID))?;
    let set = &order.set;
    let control = set.office_key(OfficeUse::Control);
    require(authenticate(transmit, set.suite.algorithm(), &control, CONTROL_KEY)?, "control key")?;

    let selected = terminal::parse_select(&transmit(&terminal::select_purse()));
    let public = selected.map_err(|fault| named("select the purse", fault))?;
    let mut ordered = order.profile.public_file(order.serial, order.set.suite.algorithm());
    if !fresh && public.issuer_data == UNSAID {
        ordered.issuer_data = UNSAID;
    }
    require(public == ordered, "public file")?;
    let offset = key_offset(set);
    let office = set.office_key(OfficeUse::Office);
    require(authenticate(transmit, set.suite.algorithm(), &office, OFFICE_KEY | offset)?, "office key")?;
    let renew = !fresh && !holder_is_ordered(transmit, order)?;
    if renew {
        write_holder(transmit, order)?;
    }
    require(holder_is_ordered(transmit, order)?, "holder's file")?;

    let counter = transmit(&terminal::read_day_counter());
    let counter = terminal::parse_day_counter(&counter).map_err(|fault| named("show its day counter", fault))?;
    let balance = transmit(&terminal::get_balance());
    let balance = terminal::parse_balance(&balance).map_err(|fault| named("show its balance", fault))?;
    let log = terminal::parse_log(&transmit(&terminal::read_log(1)));
    let untouched = counter == DayCounter::NEW && balance == 0;
    require(!fresh || untouched, "empty purse")?;
    if order.switches.pin_for_log {
        require(log == Err(CardFault::Status(Status::SecurityNotSatisfied)), "log")?;
    } else {
        let log = log.map_err(|fault| named("show its log", fault))?;
        require(!fresh || log.is_none(), "log")?;
    }
    check_all_keys(transmit, order, fresh).map(|()| renew)
}

fn check_all_keys(transmit: &mut Transmit<'_>, order: &Order, fresh: bool) -> Result<(), OfficeFault> {
    std::iter::once(&order.set).chain(&order.others).try_for_each(|set| check_keys(transmit, order, set, fresh))
}

/// The card must sign a load under the new keys, name the purchase key, and prove itself.
fn check_keys(transmit: &mut Transmit<'_>, order: &Order, set: &KeySet, fresh: bool) -> Result<(), OfficeFault> {
    let offset = key_offset(set);
    if let Some(pin) = order.pin.as_ref().filter(|_| order.switches.pin_for_load) {
        ask(transmit, "hear its PIN", &command::verify_pin(0x00, pin)).map_err(|fault| match fault {
            OfficeFault::Locked => OfficeFault::LockedKey("PIN"),
            other => other,
        })?;
    }
    let key = 0x01 | offset;
    let answer = transmit(&terminal::init_load_with(key, CHECK_AMOUNT, CHECK_TERMINAL));
    let answer = LoadAnswer::parse(&answer).map_err(|fault| named("open a load", fault))?;
    let terms = Terms { amount: CHECK_AMOUNT, kind: Kind::Load, terminal: CHECK_TERMINAL };
    require(set.proves_load(&LoadOpening { terms, answer }), "load key")?;
    require(answer.key_version == order.profile.key_version, "key version")?;
    require(!fresh || answer.n == 0, "load counter")?;

    let answer = transmit(&terminal::init_purchase_with(key, 0, CHECK_TERMINAL));
    let answer = PurchaseAnswer::parse(&answer).map_err(|fault| named("open a purchase", fault))?;
    let named_key = (answer.key_version, answer.algorithm);
    require(named_key == (order.profile.key_version, set.suite.algorithm().identifier()), "purchase key")?;
    require(!fresh || answer.m == 0, "purchase counter")?;

    require(prove_self(transmit, order, set)?, "own key")
}

const fn key_offset(set: &KeySet) -> u8 {
    match set.suite {
        Suite::TripleDes => 0x00,
        Suite::Sm4(_) => SM4_KEYS,
    }
}

fn require(holds: bool, what: &'static str) -> Result<(), OfficeFault> {
    if holds { Ok(()) } else { Err(OfficeFault::NotProved(what)) }
}

const _: () = assert!(DIRECTORY_ID & 0x1F == 1 && HOLDER_ID & 0x1F == 0x16 && COUNTER_RECORD_LENGTH == 16);
