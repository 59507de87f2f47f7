-- Acts are found by the message they are about: for the proof that a receipt promised, and for whoever asks by its id.
-- This step only adds (phase pre), and stops nobody meanwhile: the index is built beside the writers, outside a
-- transaction; what an attempt that broke off has left behind goes first.

drop index concurrently if exists audit_event_mid;
create index concurrently audit_event_mid on audit_event (mid) where mid is not null;
