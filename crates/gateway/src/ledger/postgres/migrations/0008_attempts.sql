-- Attempts at closed notices may be forgotten after a time, the oldest first. Those up to this number are gone.
ALTER TABLE notices ADD COLUMN attempts_forgotten integer NOT NULL DEFAULT 0;

-- The closed notices whose attempts are there, by the time of their closing, which their numbers do not tell: it is empty
-- where nothing is left to forget. An entry comes at the end when a notice is closed, and goes with its attempts, or when
-- it is opened again.
CREATE INDEX notices_with_attempts ON notices (closed_ms)
  WHERE state IN ('delivered', 'skipped') AND attempts > attempts_forgotten;
