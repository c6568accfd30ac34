CREATE TABLE attachment (
    hash BLOB PRIMARY KEY,
    size INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (
    account TEXT NOT NULL,
    hash    BLOB NOT NULL,
    size    INTEGER NOT NULL,
    first   TEXT,                          -- null: found in a segment, its message not yet stored
    segment INTEGER REFERENCES segment,    -- null: not kept
    offset  INTEGER,                       -- of the zstd frame
    length  INTEGER,                       -- of the zstd frame
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_by_place ON blob (segment, offset) WHERE segment IS NOT NULL;

CREATE TABLE coverage (
    mailbox     INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('covered', 'stored', 'skipped')),
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uidvalidity, generation, kind, first),
    FOREIGN KEY (mailbox, uidvalidity, generation) REFERENCES generation
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    seq              INTEGER PRIMARY KEY REFERENCES record,
    id               TEXT NOT NULL UNIQUE,
    blob             BLOB NOT NULL,
    duplicate_of     TEXT,
    account          TEXT NOT NULL,
    mailbox          TEXT NOT NULL,        -- as the server sent it
    uidvalidity      INTEGER NOT NULL,
    generation       INTEGER NOT NULL,
    uid              INTEGER NOT NULL,     -- 0: imported
    received_at      INTEGER,
    sent_at          INTEGER,
    stored_at        INTEGER NOT NULL,
    size             INTEGER NOT NULL,
    sender           TEXT,                 -- first address of From
    domain           TEXT,
    recipients       TEXT NOT NULL,
    subject          TEXT,
    message_id       TEXT,
    in_reply_to      TEXT,
    list_id          TEXT,
    attachments      INTEGER NOT NULL,
    attachment_bytes INTEGER NOT NULL,
    keywords         TEXT NOT NULL,
    defects          TEXT NOT NULL,
    mode             TEXT NOT NULL,
    path             TEXT NOT NULL
) STRICT;

CREATE TABLE event (
    seq         INTEGER PRIMARY KEY REFERENCES record,
    kind        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    account     TEXT NOT NULL,
    mailbox     TEXT,
    uidvalidity INTEGER,
    generation  INTEGER,
    uid         INTEGER,
    id          TEXT,
    keywords    TEXT,
    detail      TEXT
) STRICT;

CREATE TABLE generation (
    mailbox     INTEGER NOT NULL REFERENCES mailbox,
    uidvalidity INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    stored      INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0,
    last_stored INTEGER,
    PRIMARY KEY (mailbox, uidvalidity, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE mailbox (
    id                 INTEGER PRIMARY KEY,
    account            TEXT NOT NULL,
    raw_name           TEXT NOT NULL,      -- as the server sent it
    name               TEXT NOT NULL,
    delimiter          TEXT,
    special_use        TEXT,
    uidvalidity        INTEGER,            -- the present generation; null before the first
    generation         INTEGER,
    present            INTEGER,            -- EXISTS
    uidnext            INTEGER,
    selected_at        INTEGER,
    difference_exists  INTEGER,
    difference_counted INTEGER,
    modseq             INTEGER,            -- HIGHESTMODSEQ up to which keywords are known (RFC 7162)
    keywords_at        INTEGER,            -- when keywords were last compared with the server's
    UNIQUE (account, raw_name)
) STRICT;

CREATE TABLE mailbox_state (
    mailbox       INTEGER PRIMARY KEY REFERENCES mailbox,
    state         TEXT,
    since         INTEGER,
    reason        TEXT,
    next_step     TEXT,
    proof_of_life INTEGER
) STRICT;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,                -- format, epoch, version (that made it)
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE open_uid (
    mailbox     INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    error       TEXT NOT NULL,
    next_try    INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uidvalidity, generation, uid),
    FOREIGN KEY (mailbox, uidvalidity, generation) REFERENCES generation
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    mailbox     INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    id          TEXT NOT NULL UNIQUE,      -- names the files
    at          INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (mailbox, uidvalidity, generation, uid),
    FOREIGN KEY (mailbox, uidvalidity, generation) REFERENCES generation
) STRICT, WITHOUT ROWID;

CREATE TABLE received (
    account TEXT NOT NULL,
    hour    INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (account, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    mark INTEGER NOT NULL                  -- random: tells this record from another of the same number
) STRICT;

CREATE TABLE segment (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    month   TEXT NOT NULL,
    number  INTEGER NOT NULL,
    length  INTEGER NOT NULL,
    UNIQUE (account, month, number)
) STRICT;

CREATE TABLE sqlite_sequence(name,seq);

CREATE TABLE writer (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    pid       INTEGER NOT NULL,
    version   TEXT NOT NULL,
    since     INTEGER NOT NULL,
    heartbeat INTEGER NOT NULL
) STRICT;
