-- The blind index in runs (ledger/sqlite/people.rs). What lies in `people` is found there for ever; nothing but names
-- of older policies (`baoqiao reindex`) is added to it from here on.

-- A row is a block of a run's digests in their order: 16 bytes each, and 4 by which the policy's sequence is above the
-- run's first. The id is the run's number in its upper half, the first four bytes of the first digest in its lower.
CREATE TABLE people_short_runs (
  id INTEGER PRIMARY KEY,
  entries BLOB NOT NULL CONSTRAINT entries_are_whole CHECK (length(entries) > 0 AND length(entries) % 20 = 0)
) STRICT;
CREATE TABLE people_long_runs (
  id INTEGER PRIMARY KEY,
  entries BLOB NOT NULL CONSTRAINT entries_are_whole CHECK (length(entries) > 0 AND length(entries) % 20 = 0)
) STRICT;

-- The first long run that is not whole. Short runs that have gone into those before it are to be deleted.
CREATE TABLE people_head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  next_long_run INTEGER NOT NULL CHECK (next_long_run >= 0)
) STRICT;
INSERT INTO people_head (only, next_long_run) VALUES (1, 0);
