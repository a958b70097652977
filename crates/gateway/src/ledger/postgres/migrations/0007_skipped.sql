-- Notices that a person passed over are few among all, and looked for by themselves.
CREATE INDEX notices_skipped ON notices (id) WHERE state = 'skipped';
