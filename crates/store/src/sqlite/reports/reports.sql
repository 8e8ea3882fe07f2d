-- What the journal says, arranged for statements and reports. Derived: the file may be deleted and is made again.
-- Amounts are fen, times microseconds since 1970, months are of the campus (Asia/Shanghai) by the time of recording.

-- How far the journal has been taken: its newest block, with the link by which another book is noticed.
CREATE TABLE taken (
    school_id   INTEGER NOT NULL PRIMARY KEY,
    block       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    link        BLOB    NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;

-- Two rows for each journal row: one for the account that gives (amount below 0), one for the account that receives.
-- A pend and a void move nothing: their amount is 0, and set_aside says by how much less or more the account will have
-- once everything pended is posted. A post ends a pend: amount is what moved, set_aside takes the whole pend back.
-- So the sum of amount is the posted balance, and the sum of set_aside is what is pended, on any account, at any time.
CREATE TABLE movement (
    school_id     INTEGER NOT NULL,
    code          INTEGER NOT NULL,
    owner         BLOB    NOT NULL,
    part          INTEGER NOT NULL,
    recorded_at   INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    effective_at  INTEGER NOT NULL,
    month         TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    counter_code  INTEGER NOT NULL,
    counter_owner BLOB    NOT NULL,
    counter_part  INTEGER NOT NULL,
    amount        INTEGER NOT NULL,
    set_aside     INTEGER NOT NULL,
    balance       INTEGER NOT NULL,
    reason        INTEGER NOT NULL,
    reference     BLOB    NOT NULL,
    PRIMARY KEY (school_id, code, owner, part, recorded_at, seq)
) STRICT, WITHOUT ROWID;

-- A row for each account and month in which posted money moved; count is that of those movements.
CREATE TABLE month_total (
    school_id INTEGER NOT NULL,
    code      INTEGER NOT NULL,
    owner     BLOB    NOT NULL,
    part      INTEGER NOT NULL,
    month     TEXT    NOT NULL,
    opening   INTEGER NOT NULL,
    debits    INTEGER NOT NULL,
    credits   INTEGER NOT NULL,
    closing   INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (school_id, code, owner, part, month)
) STRICT, WITHOUT ROWID;

-- Money set aside by the journal row seq and neither posted nor voided yet.
CREATE TABLE open_pend (
    school_id INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    PRIMARY KEY (school_id, seq)
) STRICT, WITHOUT ROWID;

-- The same for a reader with the sqlite3 shell: yuan, campus time, hexadecimal owners.
CREATE VIEW statement AS SELECT
    code, lower(hex(owner)) AS owner, part, seq,
    datetime(recorded_at / 1000000, 'unixepoch', '+8 hours') AS recorded,
    datetime(effective_at / 1000000, 'unixepoch', '+8 hours') AS effective,
    month, kind, counter_code, lower(hex(counter_owner)) AS counter_owner, counter_part,
    printf('%s%d.%02d', iif(amount < 0, '-', ''), abs(amount) / 100, abs(amount) % 100) AS amount,
    printf('%s%d.%02d', iif(set_aside < 0, '-', ''), abs(set_aside) / 100, abs(set_aside) % 100) AS set_aside,
    printf('%s%d.%02d', iif(balance < 0, '-', ''), abs(balance) / 100, abs(balance) % 100) AS balance,
    reason, lower(hex(reference)) AS reference
FROM movement;

CREATE VIEW month_statement AS SELECT
    code, lower(hex(owner)) AS owner, part, month,
    printf('%s%d.%02d', iif(opening < 0, '-', ''), abs(opening) / 100, abs(opening) % 100) AS opening,
    printf('%d.%02d', debits / 100, debits % 100) AS debits,
    printf('%d.%02d', credits / 100, credits % 100) AS credits,
    printf('%s%d.%02d', iif(closing < 0, '-', ''), abs(closing) / 100, abs(closing) % 100) AS closing,
    count
FROM month_total;
