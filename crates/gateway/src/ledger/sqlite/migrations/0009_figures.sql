-- Calls, a minute, a process and an interface: what charts are drawn of. Written beside the ledger, a minute late.
CREATE TABLE call_minutes (
  -- Minutes since the epoch.
  minute INTEGER NOT NULL,
  node TEXT NOT NULL,
  interface TEXT NOT NULL,
  accepted INTEGER NOT NULL,
  replayed INTEGER NOT NULL,
  conflicting INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  disbelieved INTEGER NOT NULL,
  -- How many took how long, by bucket.
  latency TEXT NOT NULL CHECK (json_valid(latency)),
  PRIMARY KEY (minute, node, interface)
) STRICT, WITHOUT ROWID;

-- A message's own identity is looked for by people who know nothing but it.
CREATE INDEX message_uuids_by_uuid ON message_uuids (uuid);

-- Names are in the blind index since this step. Those of policies up to this sequence are not; `baoqiao reindex` goes
-- down from there.
CREATE TABLE name_index (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  missing_to INTEGER NOT NULL CHECK (missing_to >= 0)
) STRICT;
INSERT INTO name_index (only, missing_to) SELECT 1, coalesce(max(sequence), 0) FROM policies;
