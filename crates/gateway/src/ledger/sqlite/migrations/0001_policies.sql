-- Everything that can name a person is sealed (column type BLOB); what is plain is needed for rules, lists and
-- reconciliation. Rows rise with their keys, so that a batch touches few pages however large the ledger is.

CREATE TABLE number_blocks (
  name TEXT PRIMARY KEY CONSTRAINT block_is_known CHECK (name IN ('policy', 'message', 'stranger')),
  next INTEGER NOT NULL CHECK (next > 0)
) STRICT, WITHOUT ROWID;
INSERT INTO number_blocks (name, next) VALUES ('policy', 1), ('message', 1), ('stranger', 1);

CREATE TABLE key_check (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  sealed BLOB NOT NULL
) STRICT;

-- One row an accepted message: its key for ever, its content and its answer.
CREATE TABLE answers (
  message_id INTEGER PRIMARY KEY,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  content BLOB NOT NULL,
  outcome BLOB NOT NULL,
  policy_sequence INTEGER
) STRICT;
CREATE UNIQUE INDEX answers_by_key ON answers (scope, key);

CREATE TABLE policies (
  -- The sequence inside the policy number: unique over all policies, so the number itself needs no index.
  sequence INTEGER PRIMARY KEY,
  policy_no TEXT NOT NULL,
  bucket INTEGER NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  partner TEXT NOT NULL,
  product_code TEXT NOT NULL,
  identifier TEXT NOT NULL,
  insure_id TEXT NOT NULL,
  amount TEXT NOT NULL,
  premium TEXT NOT NULL,
  premium_of_cny TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  effect_ms INTEGER NOT NULL,
  expire_ms INTEGER NOT NULL,
  issued_ms INTEGER NOT NULL,
  state TEXT NOT NULL CONSTRAINT policy_state_is_known CHECK (state IN ('issued', 'rescinded', 'surrendered')),
  content_id INTEGER NOT NULL REFERENCES answers (message_id),
  CONSTRAINT period_is_not_empty CHECK (effect_ms < expire_ms)
) STRICT;

-- The blind index, in segments of some policies each: digests are random, and so they are random only among the
-- newest pages. A search looks once into each segment.
CREATE TABLE people (
  segment INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 16),
  policy_sequence INTEGER NOT NULL,
  PRIMARY KEY (segment, digest, policy_sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  policy_no TEXT NOT NULL,
  payload TEXT NOT NULL CHECK (json_valid(payload))
) STRICT;

-- The traffic record of known callers.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  received_ms INTEGER NOT NULL,
  channel TEXT NOT NULL,
  scope TEXT,
  caller TEXT NOT NULL,
  secret_index INTEGER NOT NULL,
  peer TEXT NOT NULL,
  key TEXT,
  verdict TEXT NOT NULL
    CONSTRAINT verdict_is_known CHECK (verdict IN ('accepted', 'replayed', 'conflicting', 'refused')),
  code TEXT,
  policy_sequence INTEGER,
  request BLOB NOT NULL,
  reply BLOB NOT NULL
) STRICT;
CREATE INDEX messages_by_key ON messages (key) WHERE key IS NOT NULL;

-- The traffic record of strangers: a ring, so that no stranger makes it grow.
CREATE TABLE strangers (
  slot INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  channel TEXT NOT NULL,
  peer TEXT NOT NULL,
  reason TEXT NOT NULL,
  body_bytes INTEGER NOT NULL,
  request BLOB NOT NULL
) STRICT;

-- A key that came again with other content: the first is in answers, the second here.
CREATE TABLE conflicts (
  message_id INTEGER PRIMARY KEY,
  first_message_id INTEGER NOT NULL REFERENCES answers (message_id),
  differing TEXT NOT NULL CHECK (json_valid(differing)),
  content BLOB NOT NULL
) STRICT;

-- A policy's document as it was first made; what was once served is what is served for ever.
CREATE TABLE documents (
  policy_sequence INTEGER PRIMARY KEY REFERENCES policies (sequence),
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  template_sha256 BLOB NOT NULL CHECK (length(template_sha256) = 32),
  made_ms INTEGER NOT NULL,
  pdf BLOB NOT NULL
) STRICT;
