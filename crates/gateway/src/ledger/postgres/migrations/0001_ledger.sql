-- The ledger on PostgreSQL, for any number of gateways on one database.
--
-- Every table that grows with the traffic carries the bucket first in its key, and everything that one command changes
-- lies in one bucket: distributed by `bucket`, a batch of one lane stays on one node. The bucket of a message, an event
-- or a notice is its number modulo 1,024. No sequences: numbers are set aside in blocks. No foreign keys: they would
-- lock and look up what the batch has just read and decided over.

CREATE TABLE number_blocks (
  name text PRIMARY KEY
    CONSTRAINT block_is_known CHECK (name IN ('policy', 'message', 'stranger', 'notice')),
  next bigint NOT NULL CHECK (next > 0)
);
INSERT INTO number_blocks (name, next) VALUES ('policy', 1), ('message', 1), ('stranger', 1), ('notice', 1);

CREATE TABLE key_check (
  only_one smallint PRIMARY KEY CHECK (only_one = 1),
  sealed bytea NOT NULL
);

-- One row an accepted message: its key for ever, its content and its answer.
--
-- A row without an outcome is a fence: the key was claimed for another bucket, and no claim of the row's epoch or an
-- earlier one may write its answer here (see name_claims).
CREATE TABLE answers (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  scope text NOT NULL,
  key text NOT NULL,
  message_id bigint,
  fingerprint bytea CHECK (length(fingerprint) = 32),
  content bytea,
  outcome bytea,
  policy_sequence bigint,
  -- The claim it was written under; 0 where the key alone says in which bucket it is.
  epoch bigint NOT NULL,
  PRIMARY KEY (bucket, scope, key),
  CONSTRAINT an_answer_is_whole
    CHECK (outcome IS NULL OR (message_id IS NOT NULL AND fingerprint IS NOT NULL AND content IS NOT NULL))
);

-- A message's own identity (`head.uuid` of Avatar), and the digest of the one content it may ever stand for.
CREATE TABLE message_uuids (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  scope text NOT NULL,
  sender text NOT NULL,
  uuid text NOT NULL,
  -- Absent in a fence, as in answers.
  fingerprint bytea CHECK (length(fingerprint) = 32),
  message_id bigint,
  epoch bigint NOT NULL,
  PRIMARY KEY (bucket, scope, sender, uuid),
  CONSTRAINT an_identity_is_whole CHECK ((fingerprint IS NULL) = (message_id IS NULL))
);

-- In which bucket the record of a name is, in the bucket that the name alone gives: a key or an identity that comes
-- again for another policy is recognised by it. A claim moves when nothing was recorded where it pointed, one epoch at
-- a time, and only after a fence was put there.
CREATE TABLE name_claims (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  -- `key` or `uuid`, the scope, the sender (empty for keys), and the name itself.
  kind text NOT NULL CONSTRAINT name_is_known CHECK (kind IN ('key', 'uuid')),
  scope text NOT NULL,
  sender text NOT NULL,
  name text NOT NULL,
  target smallint NOT NULL CONSTRAINT target_exists CHECK (target BETWEEN 0 AND 1023),
  epoch bigint NOT NULL CHECK (epoch > 0),
  PRIMARY KEY (bucket, kind, scope, sender, name)
);

CREATE TABLE policies (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  sequence bigint NOT NULL,
  policy_no text NOT NULL,
  partner text NOT NULL,
  product_code text NOT NULL,
  identifier text NOT NULL,
  insure_id text NOT NULL,
  amount text NOT NULL,
  premium text NOT NULL,
  premium_of_cny text NOT NULL,
  currency text NOT NULL CHECK (length(currency) = 3),
  effect_ms bigint NOT NULL,
  expire_ms bigint NOT NULL,
  issued_ms bigint NOT NULL,
  state text NOT NULL CONSTRAINT policy_state_is_known CHECK (state IN ('issued', 'rescinded', 'surrendered')),
  ended_ms bigint,
  -- The answer in whose content the parties are.
  content_scope text NOT NULL,
  content_key text NOT NULL,
  -- How many events there are of it: the order of its events, whichever gateway wrote them.
  events integer NOT NULL,
  PRIMARY KEY (bucket, sequence),
  CONSTRAINT period_is_not_empty CHECK (effect_ms < expire_ms),
  CONSTRAINT an_end_has_its_moment CHECK ((state = 'issued') = (ended_ms IS NULL))
);
CREATE INDEX policies_by_issue ON policies (issued_ms, sequence);

-- The blind index, in segments of 262,144 policies: digests are random, and so they are random only among the newest
-- pages. A search looks once into each segment of each bucket.
CREATE TABLE people (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  segment integer NOT NULL,
  digest bytea NOT NULL CHECK (length(digest) = 16),
  policy_sequence bigint NOT NULL,
  PRIMARY KEY (bucket, segment, digest, policy_sequence)
);

-- What happened. `ordinal` is the event's place among those of its subject.
CREATE TABLE events (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  message_id bigint NOT NULL,
  place smallint NOT NULL,
  at_ms bigint NOT NULL,
  kind text NOT NULL,
  subject text NOT NULL,
  ordinal integer NOT NULL CHECK (ordinal > 0),
  policy_no text,
  payload text NOT NULL,
  PRIMARY KEY (bucket, message_id, place)
);

-- Events that have no place in the feed yet, and what webhooks are to be told of them. A row lives for some
-- milliseconds.
CREATE TABLE feed_pending (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  message_id bigint NOT NULL,
  place smallint NOT NULL,
  at_ms bigint NOT NULL,
  subject text NOT NULL,
  ordinal integer NOT NULL,
  PRIMARY KEY (bucket, message_id, place)
);
CREATE TABLE webhooks_pending (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  message_id bigint NOT NULL,
  place smallint NOT NULL,
  subject text NOT NULL,
  partner text NOT NULL,
  kind text NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (bucket, message_id, place, subject)
);

-- The one order of all events, given after the fact by whichever gateway comes first. Its tables are of one bucket.
CREATE TABLE feed_head (
  only_one smallint PRIMARY KEY CHECK (only_one = 1),
  next bigint NOT NULL CHECK (next > 0)
);
INSERT INTO feed_head (only_one, next) VALUES (1, 1);
CREATE TABLE feed (
  position bigint PRIMARY KEY,
  message_id bigint NOT NULL,
  place smallint NOT NULL,
  CONSTRAINT an_event_has_one_position UNIQUE (message_id, place)
);

-- The traffic record of known callers.
CREATE TABLE messages (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  id bigint NOT NULL,
  received_ms bigint NOT NULL,
  channel text NOT NULL,
  scope text,
  caller text NOT NULL,
  secret_index integer NOT NULL,
  peer text NOT NULL,
  key text,
  verdict text NOT NULL
    CONSTRAINT verdict_is_known CHECK (verdict IN ('accepted', 'replayed', 'conflicting', 'refused')),
  code text,
  -- The policy it is about, of the same bucket.
  policy_sequence bigint,
  request bytea NOT NULL,
  reply bytea NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX messages_by_time ON messages (received_ms, id);
CREATE INDEX messages_by_scope ON messages (scope, received_ms, id) WHERE scope IS NOT NULL;
CREATE INDEX messages_not_accepted ON messages (received_ms, id) WHERE verdict <> 'accepted';
CREATE INDEX messages_by_key ON messages (key) WHERE key IS NOT NULL;

-- The traffic record of strangers: a ring, so that no stranger makes it grow.
CREATE TABLE strangers (
  slot bigint PRIMARY KEY,
  number bigint NOT NULL UNIQUE,
  received_ms bigint NOT NULL,
  channel text NOT NULL,
  peer text NOT NULL,
  reason text NOT NULL,
  body_bytes bigint NOT NULL,
  request bytea NOT NULL
);

-- A key that came again with other content: the first is in answers, the second here.
CREATE TABLE conflicts (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  message_id bigint NOT NULL,
  first_message_id bigint NOT NULL,
  differing text NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (bucket, message_id)
);

-- A policy's document as it was first made; what was once served is what is served for ever.
CREATE TABLE documents (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  policy_sequence bigint NOT NULL,
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  template_sha256 bytea NOT NULL CHECK (length(template_sha256) = 32),
  made_ms bigint NOT NULL,
  pdf bytea NOT NULL,
  PRIMARY KEY (bucket, policy_sequence)
);

-- 解约 and 退保: one row a policy that ended before its time. The content is that of the message.
CREATE TABLE endings (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  policy_sequence bigint NOT NULL,
  message_id bigint NOT NULL,
  kind text NOT NULL CONSTRAINT ending_is_known CHECK (kind IN ('rescinded', 'surrendered')),
  asked_by text NOT NULL,
  order_no text,
  refund_amount text,
  ended_ms bigint NOT NULL,
  CONSTRAINT a_policy_has_one_end PRIMARY KEY (bucket, policy_sequence)
);

-- 追缴, beside the policy: also where there is none, or where its amounts disagree, and visibly so.
CREATE TABLE recoveries (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  message_id bigint NOT NULL,
  partner text NOT NULL,
  identifier text NOT NULL,
  institution text NOT NULL,
  product_code text NOT NULL,
  stated_policy_no text,
  policy_sequence bigint,
  unmatched text CONSTRAINT unmatched_is_known
    CHECK (unmatched IN ('no-number', 'unknown', 'other-partner', 'other-product')),
  recover_amount text,
  currency text,
  currency_rate text,
  recover_amount_of_cny text,
  recover_cost_of_cny text,
  recovered_ms bigint,
  recorded_ms bigint NOT NULL,
  discrepancies text NOT NULL,
  PRIMARY KEY (bucket, message_id),
  CONSTRAINT matched_or_says_why CHECK ((policy_sequence IS NULL) = (unmatched IS NOT NULL))
);
CREATE INDEX recoveries_by_id ON recoveries (message_id);
CREATE INDEX recoveries_by_policy ON recoveries (bucket, policy_sequence, message_id) WHERE policy_sequence IS NOT NULL;
CREATE INDEX recoveries_unmatched ON recoveries (message_id) WHERE unmatched IS NOT NULL;
CREATE INDEX recoveries_discrepant ON recoveries (message_id) WHERE discrepancies <> '[]';

-- 拍卖保险: the stages that were reported of each case, in the order of `ordinal`.
CREATE TABLE auction_stages (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  biz_id text NOT NULL,
  ordinal integer NOT NULL,
  message_id bigint NOT NULL,
  partner text NOT NULL,
  insurance_type smallint NOT NULL CONSTRAINT insurance_type_is_known CHECK (insurance_type IN (1, 2)),
  stage smallint NOT NULL CONSTRAINT stage_is_known CHECK (stage BETWEEN 1 AND 5),
  status smallint NOT NULL CONSTRAINT status_is_known CHECK (status IN (1, 2)),
  policy_no text,
  occurred_ms bigint NOT NULL,
  recorded_ms bigint NOT NULL,
  PRIMARY KEY (bucket, biz_id, ordinal)
);

-- Where each auction stands: whose it is, and the progress of each kind of its insurance.
CREATE TABLE auction_cases (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  biz_id text NOT NULL,
  partner text NOT NULL,
  progress text NOT NULL,
  -- How many events there are of it.
  events integer NOT NULL,
  PRIMARY KEY (bucket, biz_id)
);

-- What is to be sent, written in the transaction of its cause, and every attempt at it. As on SQLite, of the open
-- (pending or dead) notices of a subject at most one is active, that is, has a due time.
CREATE TABLE notices (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  id bigint NOT NULL,
  subject text NOT NULL CHECK (subject <> ''),
  -- Its place among the notices of its subject: numbers of several gateways do not tell.
  ordinal bigint NOT NULL CHECK (ordinal > 0),
  kind text NOT NULL CHECK (kind <> ''),
  partner text NOT NULL CHECK (partner <> ''),
  content bytea NOT NULL,
  cause_message_id bigint,
  created_ms bigint NOT NULL,
  state text NOT NULL DEFAULT 'pending'
    CONSTRAINT notice_state_is_known CHECK (state IN ('pending', 'delivered', 'dead', 'skipped')),
  due_ms bigint,
  lease_owner text,
  leased_ms bigint,
  attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
  first_try_ms bigint,
  closed_ms bigint,
  PRIMARY KEY (bucket, id),
  CONSTRAINT only_pending_is_due CHECK (state = 'pending' OR due_ms IS NULL),
  CONSTRAINT only_due_is_leased CHECK (lease_owner IS NULL OR due_ms IS NOT NULL),
  CONSTRAINT lease_has_its_time CHECK ((lease_owner IS NULL) = (leased_ms IS NULL)),
  CONSTRAINT closed_has_its_time CHECK ((state = 'pending') = (closed_ms IS NULL))
);
CREATE INDEX notices_due ON notices (partner, due_ms) WHERE due_ms IS NOT NULL;
CREATE UNIQUE INDEX one_notice_of_a_subject_is_active ON notices (bucket, subject) WHERE due_ms IS NOT NULL;
CREATE INDEX notices_open ON notices (bucket, subject, ordinal) WHERE state IN ('pending', 'dead');
CREATE INDEX notices_by_subject ON notices (bucket, subject, ordinal);
CREATE INDEX notices_by_id ON notices (id);
CREATE INDEX notices_by_cause ON notices (cause_message_id) WHERE cause_message_id IS NOT NULL;
CREATE INDEX notices_dead ON notices (id) WHERE state = 'dead';
-- As people look through it: of a kind or a partner there may be one notice in a million.
CREATE INDEX notices_by_kind ON notices (kind, id);
CREATE INDEX notices_by_partner ON notices (partner, id);

-- One row a subject that has ever had notices: whoever queues or closes one locks it first, so that no notice is left
-- waiting for one that has just been closed.
CREATE TABLE notice_queues (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  subject text NOT NULL,
  last_ordinal bigint NOT NULL,
  PRIMARY KEY (bucket, subject)
);

CREATE TABLE attempts (
  bucket smallint NOT NULL CONSTRAINT bucket_exists CHECK (bucket BETWEEN 0 AND 1023),
  notice_id bigint NOT NULL,
  number integer NOT NULL CHECK (number > 0),
  started_ms bigint NOT NULL,
  duration_ms bigint NOT NULL CHECK (duration_ms >= 0),
  verdict text NOT NULL
    CONSTRAINT attempt_verdict_is_known CHECK (verdict IN ('delivered', 'retry', 'slow-down', 'dead', 'lost')),
  detail text NOT NULL,
  response bytea,
  late boolean NOT NULL DEFAULT false,
  PRIMARY KEY (bucket, notice_id, number)
);

-- Orders to send notices again: their keys, who gave them, and what came of them.
CREATE TABLE resends (
  key text PRIMARY KEY,
  fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
  content text NOT NULL,
  asked_by text NOT NULL,
  asked_ms bigint NOT NULL,
  answer text
);

-- The people who use the console, their sessions, and the record of what they did.
CREATE TABLE users (
  name text PRIMARY KEY CHECK (name <> ''),
  role text NOT NULL CONSTRAINT role_is_known CHECK (role IN ('viewer', 'operator', 'admin')),
  -- A PHC string; NULL for those who sign in elsewhere.
  password text,
  issuer text,
  disabled_ms bigint,
  added_ms bigint NOT NULL,
  signed_in_ms bigint,
  CONSTRAINT signs_in_here_or_elsewhere CHECK ((password IS NULL) <> (issuer IS NULL))
);
CREATE TABLE sessions (
  digest bytea PRIMARY KEY CHECK (length(digest) = 32),
  user_name text NOT NULL REFERENCES users (name),
  began_ms bigint NOT NULL,
  seen_ms bigint NOT NULL,
  peer text NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_name);
CREATE INDEX sessions_by_beginning ON sessions (began_ms);

-- Only ever added to. Its numbers rise under the lock of the head's row: an entry is written at a person's pace.
CREATE TABLE audit_head (
  only_one smallint PRIMARY KEY CHECK (only_one = 1),
  next bigint NOT NULL CHECK (next > 0)
);
INSERT INTO audit_head (only_one, next) VALUES (1, 1);
CREATE TABLE audit (
  id bigint PRIMARY KEY,
  at_ms bigint NOT NULL,
  user_name text NOT NULL,
  peer text NOT NULL,
  action text NOT NULL CHECK (action <> ''),
  subject text NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, id);
CREATE INDEX audit_by_user ON audit (user_name, id);
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to';
END $$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
