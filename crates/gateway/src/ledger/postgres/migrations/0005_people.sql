-- The blind index in runs. The digests of a policy's parties lie in one row, that of the event that it was issued; when a
-- run of events has its positions, their digests go into `people_runs`, sorted (ledger/postgres/people.rs). What lies in
-- `people` is found there for ever; nothing is added to it from here on.
ALTER TABLE events ADD COLUMN people bytea;

-- A digest's bucket is its own first ten bits: a search looks into the rows of one bucket.
CREATE TABLE people_runs (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  -- The position of its first event.
  run bigint NOT NULL,
  -- Digests of 16 bytes in their order, each with the policy's sequence and bucket in 8.
  entries bytea NOT NULL CONSTRAINT entries_are_whole CHECK (length(entries) % 24 = 0),
  PRIMARY KEY (bucket, run)
);

-- The first position whose event is in no run. Events from before have nothing for one.
CREATE TABLE people_head (
  only_one smallint PRIMARY KEY CHECK (only_one = 1),
  next bigint NOT NULL CHECK (next > 0)
);
INSERT INTO people_head (only_one, next) SELECT 1, next FROM feed_head;
