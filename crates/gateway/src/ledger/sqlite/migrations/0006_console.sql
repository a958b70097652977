-- The people who use the console, their sessions, and the record of what they did.

CREATE TABLE users (
  name TEXT PRIMARY KEY CHECK (name <> ''),
  role TEXT NOT NULL CONSTRAINT role_is_known CHECK (role IN ('viewer', 'operator', 'admin')),
  -- A PHC string; NULL for those who sign in elsewhere.
  password TEXT,
  issuer TEXT,
  disabled_ms INTEGER,
  added_ms INTEGER NOT NULL,
  signed_in_ms INTEGER,
  CONSTRAINT signs_in_here_or_elsewhere CHECK ((password IS NULL) <> (issuer IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
  user_name TEXT NOT NULL REFERENCES users (name),
  began_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  peer TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_name);
CREATE INDEX sessions_by_beginning ON sessions (began_ms);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  user_name TEXT NOT NULL,
  peer TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action <> ''),
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_subject ON audit (subject, id);
CREATE INDEX audit_by_user ON audit (user_name, id);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is never changed');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is never deleted from');
END;
