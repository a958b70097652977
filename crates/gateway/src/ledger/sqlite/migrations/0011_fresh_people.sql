-- The blind index of the newest policies: a row each, in the order of their issue. Digests are in no order, and each
-- that goes into its place by itself writes a page; so they go there a segment at a time. A search looks these rows
-- through one by one.
CREATE TABLE fresh_people (
  policy_sequence INTEGER PRIMARY KEY,
  -- Digests of 16 bytes each, one after the other.
  digests BLOB NOT NULL CONSTRAINT digests_are_whole CHECK (length(digests) > 0 AND length(digests) % 16 = 0)
) STRICT;
