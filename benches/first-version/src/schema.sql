CREATE SEQUENCE IF NOT EXISTS policy_numbers;

CREATE TABLE IF NOT EXISTS answers (
  partner TEXT NOT NULL,
  identifier TEXT NOT NULL,
  fingerprint BYTEA NOT NULL,
  content JSONB NOT NULL,
  reply BYTEA NOT NULL,
  policy_no TEXT NOT NULL,
  PRIMARY KEY (partner, identifier)
);

CREATE TABLE IF NOT EXISTS policies (
  policy_no TEXT PRIMARY KEY,
  partner TEXT NOT NULL,
  product_code TEXT NOT NULL,
  identifier TEXT NOT NULL,
  insure_id TEXT NOT NULL,
  amount NUMERIC NOT NULL,
  premium NUMERIC NOT NULL,
  premium_of_cny NUMERIC NOT NULL,
  currency TEXT NOT NULL,
  effect_ms BIGINT NOT NULL,
  expire_ms BIGINT NOT NULL,
  issued_ms BIGINT NOT NULL,
  state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS policies_by_issue ON policies (issued_ms);

CREATE TABLE IF NOT EXISTS people (
  number TEXT NOT NULL,
  policy_no TEXT NOT NULL,
  PRIMARY KEY (number, policy_no)
);

CREATE TABLE IF NOT EXISTS events (
  id BIGSERIAL PRIMARY KEY,
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL,
  policy_no TEXT NOT NULL,
  payload JSONB NOT NULL
);

CREATE TABLE IF NOT EXISTS messages (
  id BIGSERIAL PRIMARY KEY,
  received_ms BIGINT NOT NULL,
  partner TEXT NOT NULL,
  identifier TEXT NOT NULL,
  verdict TEXT NOT NULL,
  query TEXT NOT NULL,
  request BYTEA NOT NULL,
  reply BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (received_ms);
CREATE INDEX IF NOT EXISTS messages_by_key ON messages (identifier);
