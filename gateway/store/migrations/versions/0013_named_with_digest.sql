-- Keys, maps, rules and partners: acts about them name what they are about with its digest, and are found by it.
-- This step only adds (phase pre).

create index audit_event_named on audit_event (subject, id) where position('/sha256-' in subject) > 0;
