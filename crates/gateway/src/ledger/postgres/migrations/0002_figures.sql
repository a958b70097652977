-- Calls, a minute, a gateway and an interface: what charts are drawn of. Written beside the ledger, a minute late.
CREATE TABLE call_minutes (
  -- Minutes since the epoch.
  minute bigint NOT NULL,
  node text NOT NULL,
  interface text NOT NULL,
  accepted bigint NOT NULL,
  replayed bigint NOT NULL,
  conflicting bigint NOT NULL,
  refused bigint NOT NULL,
  disbelieved bigint NOT NULL,
  -- How many took how long, by bucket of time.
  latency text NOT NULL,
  PRIMARY KEY (minute, node, interface)
);

-- A message's own identity is looked for by people who know nothing but it.
CREATE INDEX message_uuids_by_uuid ON message_uuids (uuid) WHERE message_id IS NOT NULL;
