-- The book of a school. Identifiers are 16 bytes, most significant first; amounts are fen, times microseconds.

-- The truth: appended to, never changed. A body is a row in its canonical form, which the chain is made of;
-- `onecard report` makes tables with columns of it.
CREATE TABLE journal (
    school_id INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    body      BLOB    NOT NULL,
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

-- A checkpoint of what the journal makes of the accounts. A row contains every journal row up to the one it names last,
-- and lacks at most some from recovery.replay_from on.
CREATE TABLE account (
    school_id INTEGER NOT NULL,
    key       BLOB    NOT NULL,
    body      BLOB    NOT NULL,
    digest    BLOB    NOT NULL,
    PRIMARY KEY (school_id, key)
) STRICT, WITHOUT ROWID;

-- Money set aside by the journal row seq and neither posted nor voided.
CREATE TABLE pending (
    school_id INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    body      BLOB    NOT NULL,
    digest    BLOB    NOT NULL,
    PRIMARY KEY (school_id, seq)
) STRICT, WITHOUT ROWID;

-- The first journal row that an account row may lack; a start replays from there.
CREATE TABLE recovery (
    school_id   INTEGER NOT NULL PRIMARY KEY,
    replay_from INTEGER NOT NULL,
    digest      BLOB    NOT NULL
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
