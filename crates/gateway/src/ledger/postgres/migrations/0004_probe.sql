-- What is written to find out whether anything can be: as much as a message takes, so that a disk with room for a few
-- bytes is not taken for one that is well.
CREATE TABLE probe (
  only_one smallint PRIMARY KEY CHECK (only_one = 1),
  filler bytea NOT NULL
);
