-- Sending dead messages again: planned by one officer, executed by another.

create table replay (
    replay_id    uuid primary key,
    partner      text not null,
    planned_by   text not null,
    planned_at   timestamptz not null,
    executed_by  text,
    executed_at  timestamptz,
    check (executed_by <> planned_by)
);
comment on table replay is 'a plan to send dead messages again; executed once, by a second officer';
comment on column replay.replay_id is 'id';
comment on column replay.partner is 'to whom';
comment on column replay.planned_by is 'id of the officer who planned it';
comment on column replay.planned_at is 'when';
comment on column replay.executed_by is 'id of the second officer; null until executed';
comment on column replay.executed_at is 'when';

create table replay_message (
    replay_id  uuid not null references replay,
    partner    text not null,
    mid        uuid not null,
    rejection  text,
    primary key (replay_id, mid)
);
comment on table replay_message is 'the messages of a plan';
comment on column replay_message.replay_id is 'plan';
comment on column replay_message.partner is 'to whom';
comment on column replay_message.mid is 'which message; id and bytes stay the same';
comment on column replay_message.rejection is 'the partner''s signed rejection that stood when it was executed';

alter table replay enable row level security, force row level security;
alter table replay_message enable row level security, force row level security;
create policy of_partner on replay
    using (partner = (select current_setting('app.partner', true))
           or (select current_setting('app.partner', true)) = '*');
create policy of_partner on replay_message
    using (partner = (select current_setting('app.partner', true))
           or (select current_setting('app.partner', true)) = '*');
