-- What the interface of the core system needs besides.

-- Policies are listed by the time of their issue. It rises with the rows: each insert goes to the index's end.
CREATE INDEX policies_by_issue ON policies (issued_ms);

-- Orders to send notices again: their keys, who gave them, and what came of them.
CREATE TABLE resends (
  key TEXT PRIMARY KEY,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  content TEXT NOT NULL CHECK (json_valid(content)),
  asked_by TEXT NOT NULL,
  asked_ms INTEGER NOT NULL,
  answer TEXT CHECK (answer IS NULL OR json_valid(answer))
) STRICT, WITHOUT ROWID;
