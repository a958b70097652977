-- What is written to find out whether anything can be: as much as a message takes, so that a disk with room for a few
-- bytes is not taken for one that is well.
CREATE TABLE probe (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  filler BLOB NOT NULL
) STRICT;
