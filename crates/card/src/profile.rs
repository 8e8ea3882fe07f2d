//! How cards of the family differ, as data; and what the office builds on a blank card from it.

use crate::files::{COUNTER_RECORD_LENGTH, LOG_RECORD_LENGTH, PURSE_NAME, PublicFile};
use crate::filesystem::{Access, FileForm, Guard, Shape};
use crate::holder::HolderFile;
use crate::session::SessionForm;

/// Name of the payment system's directory, which is the card's root. Source: JR/T 0025.
pub const ROOT_NAME: [u8; 14] = *b"1PAY.SYS.DDF01";
/// File id of the root.
pub const ROOT_ID: u16 = 0x3F00;
/// File id of the purse application.
pub const PURSE_DF: u16 = 0x3F01;
/// File id of the directory of applications, in the root.
pub const DIRECTORY_ID: u16 = 0x0001;
/// File id of the purse itself.
pub const PURSE_ID: u16 = 0x0002;
/// File id of the public file.
pub const PUBLIC_ID: u16 = 0x0015;
/// File id of the holder's file.
pub const HOLDER_ID: u16 = 0x0016;
/// File id of the day counter.
pub const COUNTER_ID: u16 = 0x0017;
/// File id of the log.
pub const LOG_ID: u16 = 0x0018;
/// File id of the log of loads, on cards that keep it apart.
pub const LOAD_LOG_ID: u16 = 0x001A;
/// Records of a log that every reader may count on.
pub const LOG_DEPTH: u8 = 10;

/// Which counter value a card shows for a transaction. Documents say the value before; cards were seen with the value after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// The counter after the transaction.
    #[default]
    After,
    /// The counter before it.
    Before,
}

/// The ways in which cards differ. One value describes a type of card; a terminal never needs it, since it asks both ways.
///
/// | switch | the project's card | other cards |
/// |---|---|---|
/// | `session_form` | matters for SM4 alone | form 1 or 2 |
/// | `log_seq` | after | before, as the documents say |
/// | `proof_seq` | after | before |
/// | `loads_apart` | loads and purchases in file 0018 | loads in file 001A |
/// | `log_records` | 10 | more |
/// | `pin_for_load`, `pin_for_log` | no PIN (M15) | PIN first, as in the base profile |
/// | `security_id` | none | nine bytes that MAC1 of a purchase covers (construction ministry) |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// How session keys are made under SM4.
    pub session_form: SessionForm,
    /// The counter in a log record.
    pub log_seq: Counted,
    /// The counter by which GET TRANSACTION PROVE finds.
    pub proof_seq: Counted,
    /// Loads have a log of their own.
    pub loads_apart: bool,
    /// Records of each log; fewer than [`LOG_DEPTH`] are made [`LOG_DEPTH`].
    pub log_records: u8,
    /// INITIALIZE FOR LOAD wants the PIN.
    pub pin_for_load: bool,
    /// Reading the log wants the PIN.
    pub pin_for_log: bool,
    /// Security identifier of construction-ministry cards.
    pub security_id: Option<[u8; 9]>,
}

impl Switches {
    /// The project's own card (M15, M21): no PIN for load, purchase and log.
    pub const CAMPUS: Switches = Switches {
        session_form: SessionForm::Padded,
        log_seq: Counted::After,
        proof_seq: Counted::After,
        loads_apart: false,
        log_records: LOG_DEPTH,
        pin_for_load: false,
        pin_for_log: false,
        security_id: None,
    };
}

/// The application as the office creates it.
pub(crate) fn application_form() -> FileForm {
    FileForm {
        id: PURSE_DF,
        guard: Guard::Plain,
        read: Access::Authenticated,
        write: Access::Never,
        shape: Shape::Application(PURSE_NAME.to_vec()),
    }
}

/// The directory of applications in the root; anyone may read it.
pub(crate) fn directory_form() -> FileForm {
    FileForm {
        id: DIRECTORY_ID,
        guard: Guard::Mac,
        read: Access::Free,
        write: Access::Free,
        shape: Shape::Variable { most: 4, length: 32 },
    }
}

/// The one record of the directory.
pub(crate) fn directory_record() -> Vec<u8> {
    let entry = [&[0x4F, 9][..], &PURSE_NAME, &[0x50, 7], b"ONECARD"].concat();
    let length = u8::try_from(entry.len()).unwrap_or(u8::MAX);
    [&[0x61, length][..], &entry].concat()
}

/// The files of the purse application, in the order in which they are made. The holder's file can be read after
/// authentication alone: a name in every pocket is for no passer-by.
pub(crate) fn purse_forms(switches: &Switches) -> Vec<FileForm> {
    let most = switches.log_records.max(LOG_DEPTH);
    let log_read = if switches.pin_for_log { Access::Pin } else { Access::Free };
    let log = |id| FileForm {
        id,
        guard: Guard::Plain,
        read: log_read,
        write: Access::Never,
        shape: Shape::Cyclic { most, length: LOG_RECORD_LENGTH },
    };
    let mut forms = vec![
        FileForm { id: 0x0000, guard: Guard::Plain, read: Access::Never, write: Access::Never, shape: Shape::Keys },
        FileForm {
            id: PUBLIC_ID,
            guard: Guard::Mac,
            read: Access::Free,
            write: Access::Free,
            shape: Shape::Binary(PublicFile::LENGTH),
        },
        FileForm {
            id: HOLDER_ID,
            guard: Guard::Sealed,
            read: Access::Authenticated,
            write: Access::Free,
            shape: Shape::Binary(HolderFile::LENGTH),
        },
        FileForm {
            id: COUNTER_ID,
            guard: Guard::Mac,
            read: Access::Free,
            write: Access::Free,
            shape: Shape::Fixed { most: 1, length: COUNTER_RECORD_LENGTH },
        },
        FileForm { id: PURSE_ID, guard: Guard::Plain, read: Access::Free, write: Access::Never, shape: Shape::Purse },
        log(LOG_ID),
    ];
    if switches.loads_apart {
        forms.push(log(LOAD_LOG_ID));
    }
    forms
}
