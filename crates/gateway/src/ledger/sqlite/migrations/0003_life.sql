-- What becomes of a policy after it was issued, what is recorded beside it.

-- Events are about more than policies: the subject says about what. `policy:<policyNo>`, `auction:<bizId>`,
-- `recovery:<partner>/<identifier>`.
CREATE TABLE events_of_subjects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  policy_no TEXT,
  payload TEXT NOT NULL CHECK (json_valid(payload))
) STRICT;
INSERT INTO events_of_subjects (id, at_ms, kind, subject, policy_no, payload)
  SELECT id, at_ms, kind, 'policy:' || policy_no, policy_no, payload FROM events;
DROP TABLE events;
ALTER TABLE events_of_subjects RENAME TO events;

-- When it was rescinded or surrendered.
ALTER TABLE policies ADD COLUMN ended_ms INTEGER
  CONSTRAINT an_end_has_its_moment CHECK ((state = 'issued') = (ended_ms IS NULL));
CREATE TRIGGER a_policy_ends_once BEFORE UPDATE OF state ON policies WHEN OLD.state <> 'issued' BEGIN
  SELECT raise(ABORT, 'a policy ends once');
END;

-- 解约 and 退保: one row a policy that ended before its time. The content is that of the message.
CREATE TABLE endings (
  message_id INTEGER PRIMARY KEY REFERENCES answers (message_id),
  policy_sequence INTEGER NOT NULL CONSTRAINT a_policy_has_one_end UNIQUE REFERENCES policies (sequence),
  kind TEXT NOT NULL CONSTRAINT ending_is_known CHECK (kind IN ('rescinded', 'surrendered')),
  -- Who asked: a policySource, or the core system's token.
  asked_by TEXT NOT NULL,
  order_no TEXT,
  refund_amount TEXT,
  ended_ms INTEGER NOT NULL
) STRICT;

-- 追缴, beside the policy: also where there is none, or where its amounts disagree, and visibly so.
CREATE TABLE recoveries (
  message_id INTEGER PRIMARY KEY REFERENCES answers (message_id),
  partner TEXT NOT NULL,
  identifier TEXT NOT NULL,
  institution TEXT NOT NULL,
  product_code TEXT NOT NULL,
  stated_policy_no TEXT,
  policy_sequence INTEGER REFERENCES policies (sequence),
  unmatched TEXT CONSTRAINT unmatched_is_known
    CHECK (unmatched IN ('no-number', 'unknown', 'other-partner', 'other-product')),
  recover_amount TEXT,
  currency TEXT,
  currency_rate TEXT,
  recover_amount_of_cny TEXT,
  recover_cost_of_cny TEXT,
  recovered_ms INTEGER,
  recorded_ms INTEGER NOT NULL,
  -- The fields in yuan that are not the amount times the rate; an empty list where all agree.
  discrepancies TEXT NOT NULL CHECK (json_valid(discrepancies)),
  CONSTRAINT matched_or_says_why CHECK ((policy_sequence IS NULL) = (unmatched IS NOT NULL))
) STRICT;
CREATE INDEX recoveries_by_policy ON recoveries (policy_sequence) WHERE policy_sequence IS NOT NULL;
CREATE INDEX recoveries_unmatched ON recoveries (message_id) WHERE unmatched IS NOT NULL;
CREATE INDEX recoveries_discrepant ON recoveries (message_id) WHERE discrepancies <> '[]';

-- 拍卖保险: the stages that were reported of each case, in the order of their messages.
CREATE TABLE auction_stages (
  message_id INTEGER PRIMARY KEY REFERENCES answers (message_id),
  biz_id TEXT NOT NULL,
  partner TEXT NOT NULL,
  insurance_type INTEGER NOT NULL CONSTRAINT insurance_type_is_known CHECK (insurance_type IN (1, 2)),
  stage INTEGER NOT NULL CONSTRAINT stage_is_known CHECK (stage BETWEEN 1 AND 5),
  status INTEGER NOT NULL CONSTRAINT status_is_known CHECK (status IN (1, 2)),
  policy_no TEXT,
  occurred_ms INTEGER NOT NULL,
  recorded_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX auction_stages_by_case ON auction_stages (biz_id, message_id);

-- Where each auction stands: whose it is, and the progress of each kind of its insurance.
CREATE TABLE auction_cases (
  biz_id TEXT PRIMARY KEY,
  partner TEXT NOT NULL,
  progress TEXT NOT NULL CHECK (json_valid(progress))
) STRICT, WITHOUT ROWID;

-- A message's own identity (`head.uuid` of Avatar), and the digest of the one content it may ever stand for.
CREATE TABLE message_uuids (
  scope TEXT NOT NULL,
  sender TEXT NOT NULL,
  uuid TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  message_id INTEGER NOT NULL,
  PRIMARY KEY (scope, sender, uuid)
) STRICT, WITHOUT ROWID;
