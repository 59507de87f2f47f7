-- From here on every act has its leaf. Release 0.1 writes acts without, so this step waits until no process of it is
-- left (phase post). Acts that were written before stay as they are.

alter table audit_event add constraint audit_event_has_leaf check (event_id is not null) not valid;
