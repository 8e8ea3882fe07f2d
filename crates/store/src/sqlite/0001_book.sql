-- The book of a school. Identifiers are 16 bytes, most significant first; amounts are fen, times microseconds.

-- The truth: appended to, never changed.
CREATE TABLE journal (
    school_id      INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    id             BLOB    NOT NULL,
    kind           INTEGER NOT NULL,
    debit_code     INTEGER NOT NULL,
    debit_owner    BLOB    NOT NULL,
    debit_part     INTEGER NOT NULL,
    credit_code    INTEGER NOT NULL,
    credit_owner   BLOB    NOT NULL,
    credit_part    INTEGER NOT NULL,
    amount         INTEGER NOT NULL,
    ref_seq        INTEGER NOT NULL,
    debit_prev     INTEGER NOT NULL,
    credit_prev    INTEGER NOT NULL,
    debit_balance  INTEGER NOT NULL,
    credit_balance INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    effective_at   INTEGER NOT NULL,
    code           INTEGER NOT NULL,
    reference      BLOB    NOT NULL,
    PRIMARY KEY (school_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'journal rows are never changed: a mistake is mended by another transfer'); END;

CREATE TRIGGER journal_is_never_cut BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'journal rows are never deleted: a mistake is mended by another transfer'); END;

-- One row for each batch: which journal rows, hashes of the guard rows it wrote (32 bytes each), and the chain's link.
CREATE TABLE block (
    school_id INTEGER NOT NULL,
    no        INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    changes   BLOB    NOT NULL,
    link      BLOB    NOT NULL,
    PRIMARY KEY (school_id, no)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER block_is_never_changed BEFORE UPDATE ON block
BEGIN SELECT RAISE(ABORT, 'blocks are never changed'); END;

CREATE TRIGGER block_is_never_cut BEFORE DELETE ON block
BEGIN SELECT RAISE(ABORT, 'blocks are never deleted'); END;

-- A checkpoint of what the journal makes of the accounts, right up to recovery.applied_seq.
CREATE TABLE account (
    school_id       INTEGER NOT NULL,
    code            INTEGER NOT NULL,
    owner           BLOB    NOT NULL,
    part            INTEGER NOT NULL,
    debits_posted   INTEGER NOT NULL,
    credits_posted  INTEGER NOT NULL,
    debits_pending  INTEGER NOT NULL,
    credits_pending INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL,
    digest          BLOB    NOT NULL,
    PRIMARY KEY (school_id, code, owner, part)
) STRICT, WITHOUT ROWID;

-- Money set aside by the journal row seq and neither posted nor voided, at recovery.applied_seq.
CREATE TABLE pending (
    school_id    INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    debit_code   INTEGER NOT NULL,
    debit_owner  BLOB    NOT NULL,
    debit_part   INTEGER NOT NULL,
    credit_code  INTEGER NOT NULL,
    credit_owner BLOB    NOT NULL,
    credit_part  INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    PRIMARY KEY (school_id, seq)
) STRICT, WITHOUT ROWID;

-- The last journal row that account and pending contain; a start replays from the next one.
CREATE TABLE recovery (
    school_id   INTEGER NOT NULL PRIMARY KEY,
    applied_seq INTEGER NOT NULL
) STRICT;

-- Where rows stand in lists. Derived from the rows, can be rebuilt.
CREATE TABLE listing (
    school_id INTEGER NOT NULL,
    list      TEXT    NOT NULL,
    owner     BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    key       BLOB    NOT NULL,
    PRIMARY KEY (school_id, list, owner, at, key)
) STRICT, WITHOUT ROWID;
