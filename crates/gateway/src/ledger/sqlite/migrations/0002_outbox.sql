-- What is to be sent, written in the transaction of its cause, and every attempt at it.
--
-- Order within a subject is the order of id. Open (pending or dead) notices of a subject form a queue, and at most
-- one of them is active: it has a due time. The others wait until the one before them is delivered or skipped. So
-- the index by due time holds only what may be sent, however long the queues are, and is empty when nothing is to be
-- done; and no statement, right or wrong, can bring two notices of a subject under way at once.

CREATE TABLE notices (
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL CHECK (subject <> ''),
  kind TEXT NOT NULL CHECK (kind <> ''),
  -- Whose application it is sent through: rates are kept by it.
  partner TEXT NOT NULL CHECK (partner <> ''),
  content BLOB NOT NULL,
  -- The message that caused it, where one did.
  cause_message_id INTEGER,
  created_ms INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending'
    CONSTRAINT notice_state_is_known CHECK (state IN ('pending', 'delivered', 'dead', 'skipped')),
  -- When it is to be sent; while it is under way, when its lease runs out; NULL while it waits for another.
  due_ms INTEGER,
  -- Who has it under way, and since when.
  lease_owner TEXT,
  leased_ms INTEGER,
  -- All attempts ever; attempts.number goes on from it.
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- Attempts since it was queued or last sent again on request, and the first of them: back-off and age count
  -- from there, so that a notice is not given up for having waited.
  tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  first_try_ms INTEGER,
  -- When it was delivered, given up or skipped.
  closed_ms INTEGER,
  CONSTRAINT only_pending_is_due CHECK (state = 'pending' OR due_ms IS NULL),
  CONSTRAINT only_due_is_leased CHECK (lease_owner IS NULL OR due_ms IS NOT NULL),
  CONSTRAINT lease_has_its_time CHECK ((lease_owner IS NULL) = (leased_ms IS NULL)),
  CONSTRAINT closed_has_its_time CHECK ((state = 'pending') = (closed_ms IS NULL))
) STRICT;
CREATE INDEX notices_due ON notices (partner, due_ms) WHERE due_ms IS NOT NULL;
CREATE UNIQUE INDEX one_notice_of_a_subject_is_active ON notices (subject) WHERE due_ms IS NOT NULL;
CREATE INDEX notices_open ON notices (subject, id) WHERE state IN ('pending', 'dead');
CREATE INDEX notices_by_subject ON notices (subject, id);
CREATE INDEX notices_by_cause ON notices (cause_message_id) WHERE cause_message_id IS NOT NULL;
CREATE INDEX notices_dead ON notices (id) WHERE state = 'dead';

CREATE TABLE attempts (
  notice_id INTEGER NOT NULL REFERENCES notices (id),
  number INTEGER NOT NULL CHECK (number > 0),
  started_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  verdict TEXT NOT NULL
    -- lost: the lease ran out with no word of how it ended; it may have arrived.
    CONSTRAINT attempt_verdict_is_known CHECK (verdict IN ('delivered', 'retry', 'slow-down', 'dead', 'lost')),
  -- Why, in words without personal data.
  detail TEXT NOT NULL,
  -- The answer as it came; NULL where none did.
  response BLOB,
  -- 1: the lease had run out, so that the answer changed nothing.
  late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
  PRIMARY KEY (notice_id, number)
) STRICT, WITHOUT ROWID;
