-- Users for whom an OpenID provider vouches: known by what it knows them by, under names that nobody else can have.
ALTER TABLE users ADD COLUMN subject text;
ALTER TABLE users ADD CONSTRAINT an_issuer_knows_by_subject CHECK ((issuer IS NULL) = (subject IS NULL));
ALTER TABLE users ADD CONSTRAINT names_tell_who_vouches CHECK ((issuer IS NULL) = (strpos(name, ':') = 0));
CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject) WHERE issuer IS NOT NULL;

-- What made a sign-in through the provider one of its kind, as long as it could be tried again.
CREATE TABLE spent_nonces (
  digest bytea PRIMARY KEY CHECK (length(digest) = 32),
  until_ms bigint NOT NULL
);
CREATE INDEX spent_nonces_by_end ON spent_nonces (until_ms);
