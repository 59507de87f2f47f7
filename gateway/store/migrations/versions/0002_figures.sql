-- What is watched at every scrape must not cost more as the tables grow.

create index delivery_stuck on delivery (partner, state) where state in ('blocked', 'dead');
create index inbox_held_since on inbox (partner, at) where state = 'held';
create index work_item_open on work_item (kind, at) where done_at is null;
create index leg_owed on leg (partner, status, result_due, first_answer_due)
    where status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error');
create index retention_check_owed on retention_check (milestone, due_on) where state in ('scheduled', 'due');
create index delivery_queued on delivery (partner, first_at) where state in ('ready', 'leased');
