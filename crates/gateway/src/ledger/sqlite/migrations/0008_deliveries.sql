-- The outbox as people look through it: of a kind or a partner there may be one notice in a million.
CREATE INDEX notices_by_kind ON notices (kind, id);
CREATE INDEX notices_by_partner ON notices (partner, id);
