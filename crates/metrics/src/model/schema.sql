-- The read model, format 1. Times are microseconds since 1970 in UTC, unless they say otherwise.
-- Everything but host_sample can be made anew from the catalog.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,                -- format, cursor
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Sums over all messages of an account, dated or not.
CREATE TABLE account (
    id               INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    messages         INTEGER NOT NULL DEFAULT 0,
    bytes            INTEGER NOT NULL DEFAULT 0,
    duplicates       INTEGER NOT NULL DEFAULT 0,
    attachments      INTEGER NOT NULL DEFAULT 0,
    attachment_bytes INTEGER NOT NULL DEFAULT 0,
    undated          INTEGER NOT NULL DEFAULT 0,
    last_stored      INTEGER
) STRICT;

CREATE TABLE mailbox (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account,
    name    TEXT NOT NULL,                 -- as the server sent it
    UNIQUE (account, name)
) STRICT;

CREATE TABLE sender (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE              -- first address of From
) STRICT;

CREATE TABLE domain (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One row a stored copy.
CREATE TABLE message (
    id               TEXT PRIMARY KEY,
    account          INTEGER NOT NULL REFERENCES account,
    mailbox          INTEGER NOT NULL REFERENCES mailbox,
    sender           INTEGER NOT NULL,     -- 0: none
    domain           INTEGER NOT NULL,     -- 0: none
    received_at      INTEGER,
    sent_at          INTEGER,
    size             INTEGER NOT NULL,
    attachments      INTEGER NOT NULL,
    attachment_bytes INTEGER NOT NULL,
    duplicate        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The dated messages again, by UTC day and column: some thousand a row, each column an array of little-endian
-- numbers. A chart reads the few columns that it needs, in the order of time.
CREATE TABLE page (
    id        INTEGER PRIMARY KEY,         -- days since 1970 * 65536 + number within the day
    seconds   BLOB NOT NULL,               -- u32: of the day
    accounts  BLOB NOT NULL,               -- u32
    mailboxes BLOB NOT NULL,               -- u32
    senders   BLOB NOT NULL,               -- u32, 0: none
    domains   BLOB NOT NULL,               -- u32, 0: none
    sizes     BLOB NOT NULL,               -- u64
    delays    BLOB NOT NULL                -- i32: seconds from Date to receipt, the least number: none
) STRICT;

-- Sums of samples of the host: by 10 s for 2 days, 1 min for 30 days, 15 min for 2 years, 1 day for ever.
CREATE TABLE host_sample (
    step         INTEGER NOT NULL,         -- seconds
    at           INTEGER NOT NULL,         -- seconds since 1970, a multiple of step
    samples      INTEGER NOT NULL,
    cpu          REAL NOT NULL,            -- 0 to 1
    load         REAL NOT NULL,            -- over one minute
    memory_used  REAL NOT NULL,
    memory_limit REAL NOT NULL,
    disk_used    REAL NOT NULL,            -- of the archive's file system
    disk_total   REAL NOT NULL,
    received     REAL NOT NULL,            -- octets a second
    sent         REAL NOT NULL,
    PRIMARY KEY (step, at)
) STRICT, WITHOUT ROWID;
