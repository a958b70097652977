-- What keeps a ledger in service for years.

-- Up to where the traffic record has been looked through for what is too old to be kept: a message with a smaller id
-- that is not there was there.
CREATE TABLE retention (
  name TEXT PRIMARY KEY CONSTRAINT retention_is_known CHECK (name IN ('messages', 'attempts')),
  below INTEGER NOT NULL CHECK (below >= 0),
  deleted INTEGER NOT NULL CHECK (deleted >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO retention (name, below, deleted) VALUES ('messages', 0, 0), ('attempts', 0, 0);

-- What is written to find out whether anything can be: as much as a message takes, so that a disk with room for a few
-- bytes is not taken for one that is well.
CREATE TABLE probe (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  filler BLOB NOT NULL
) STRICT;
