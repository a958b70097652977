-- Policies that ended before their time are few, and looked for among all.
CREATE INDEX policies_ended ON policies (issued_ms) WHERE state <> 'issued';
