-- Short runs are of 1,024 policies, half as many as before: a run's number doubles, and its first policy stays the same.
-- The table has another name, so that a gateway of before which still runs cannot write into it what would be read wrongly.
CREATE TABLE people_runs_of_1024 (
  id INTEGER PRIMARY KEY,
  entries BLOB NOT NULL CONSTRAINT entries_are_whole CHECK (length(entries) > 0 AND length(entries) % 20 = 0)
) STRICT;
INSERT INTO people_runs_of_1024 (id, entries)
  SELECT ((id >> 32) << 33) | (id & 0xffffffff), entries FROM people_short_runs ORDER BY id;
DROP TABLE people_short_runs;

-- No short run below it comes any more: its policies go into `people`, as names of older ones do. Of what is there, the last
-- short run and the last long run may have been under way: nothing is added to either but what they are made of.
ALTER TABLE people_head ADD COLUMN
  next_short_run INTEGER NOT NULL DEFAULT 0 CONSTRAINT next_short_run_is_a_number CHECK (next_short_run >= 0);
UPDATE people_head SET next_short_run = max(
  next_long_run << 5,
  (SELECT coalesce(max(id >> 32) + 1, 0) FROM people_runs_of_1024),
  (SELECT coalesce((max(id >> 32) + 1) << 5, 0) FROM people_long_runs));
