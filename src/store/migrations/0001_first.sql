-- The journal. Its rows are hashed one by one (docs/journal.md); nothing in it is ever changed.
CREATE TABLE event (
    seq        INTEGER PRIMARY KEY CHECK (seq > 0),
    at         TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    known_by   TEXT    NOT NULL,
    host       TEXT    NOT NULL,
    release    TEXT,
    kind       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    unique_key TEXT    UNIQUE,
    body       BLOB    NOT NULL,
    prev_hash  TEXT    NOT NULL,
    hash       TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: an event is never changed'); END;

CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: an event is never deleted'); END;

CREATE TRIGGER event_continues_the_chain BEFORE INSERT ON event
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM event)
  OR NEW.prev_hash <> coalesce((SELECT hash FROM event ORDER BY seq DESC LIMIT 1),
       '0000000000000000000000000000000000000000000000000000000000000000')
BEGIN SELECT RAISE(ABORT, 'the journal is a chain: an event follows the last one'); END;

-- INSERT OR REPLACE deletes without asking the DELETE trigger, so it is stopped before it resolves anything.
CREATE TRIGGER event_replaces_nothing BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event WHERE unique_key = NEW.unique_key) OR EXISTS (SELECT 1 FROM event WHERE hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: an event replaces nothing'); END;

-- Driver's leases and environment locks.
CREATE TABLE lease (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    acquired TEXT NOT NULL,
    renewed  TEXT NOT NULL,
    expires  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Kept observations: a series is named once, its buckets are small rows. A NULL value is an answer of NaN.
CREATE TABLE series (
    id      INTEGER PRIMARY KEY,
    metric  TEXT NOT NULL,
    service TEXT NOT NULL,
    grp     TEXT NOT NULL,
    part    TEXT NOT NULL,
    UNIQUE (metric, service, grp, part)
) STRICT;

CREATE TABLE sample (
    series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    bucket INTEGER NOT NULL,
    value  REAL,
    PRIMARY KEY (series, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE state_change (
    source TEXT NOT NULL,
    key    TEXT NOT NULL,
    at     TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (source, key, at)
) STRICT, WITHOUT ROWID;

-- The last answer of each need, so that the first frame after a start shows known state with its age.
CREATE TABLE cache (
    key     TEXT PRIMARY KEY,
    read_at TEXT NOT NULL,
    newest  TEXT,
    cadence INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row that is rewritten to learn whether a write would succeed.
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL, filler BLOB NOT NULL) STRICT;
INSERT INTO probe (id, count, filler) VALUES (1, 0, x'');
