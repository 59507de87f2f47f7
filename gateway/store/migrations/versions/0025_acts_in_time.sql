-- Acts are found by their time, and those with a partner by partner and time: whoever asks for a day of ten years reads a
-- day. Batches of destruction are few, and are looked for among all acts since a message was made. This step only adds
-- (phase pre), and stops nobody meanwhile: the indexes are built beside the writers, outside a transaction; what an
-- attempt that broke off has left behind goes first. Keys of ours that were brought forward are valid from when they sign.

drop index concurrently if exists audit_event_at;
create index concurrently audit_event_at on audit_event (at);
drop index concurrently if exists audit_event_partner;
create index concurrently audit_event_partner on audit_event (partner, at);
drop index concurrently if exists audit_event_destroyed;
create index concurrently audit_event_destroyed on audit_event (at) where act = 'records.destroyed';
update partner_key set not_before = signs_from - interval '5 minutes' where owner = 'comwel' and signs_from < not_before;
