-- The traffic record as people look through it.

-- Messages are listed by the time of their arrival; of an interface, of which there may be one message in a million; and
-- those that did not simply pass, which are few.
CREATE INDEX messages_by_time ON messages (received_ms);
CREATE INDEX messages_by_scope ON messages (scope, received_ms) WHERE scope IS NOT NULL;
CREATE INDEX messages_not_accepted ON messages (received_ms) WHERE verdict <> 'accepted';

-- The slots of the ring say nothing about order.
CREATE UNIQUE INDEX strangers_by_number ON strangers (number);
