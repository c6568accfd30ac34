-- From format 1 to format 2, in place: see schema.sql for what the columns mean.

ALTER TABLE mailbox ADD COLUMN modseq INTEGER;
ALTER TABLE mailbox ADD COLUMN keywords_at INTEGER;

CREATE TABLE quarantine (
    mailbox     INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    id          TEXT NOT NULL UNIQUE,
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

UPDATE meta SET value = 2 WHERE key = 'format';
