-- Reconciliation: the lists that both sides give each other about a day, and the messages on which they differ.

create function sealed_at(jws text) returns timestamptz language sql immutable parallel safe as $$
    select to_timestamp((convert_from(decode(
        translate(payload, '-_', '+/') || repeat('=', (4 - length(payload) % 4) % 4), 'base64'), 'UTF8')::json ->> 'iat'
    )::float8) from split_part(jws, '.', 2) as payload
$$;
comment on function sealed_at is 'when a manifest was sealed, as it says itself: both sides read the same there';
create index message_at on message using brin (at) with (autosummarize = on);

create table reconciliation (
    no           bigint generated always as identity,
    list_id      uuid primary key,
    partner      text not null,
    day          date not null,
    ours         text not null,
    stated_at    timestamptz not null,
    next_at      timestamptz not null,
    theirs       text,
    compared_at  timestamptz,
    tries        integer not null default 0,
    why          text,
    waiting      integer not null default 0,
    differing    integer not null default 0,
    settled      boolean not null default false,
    check ((theirs is null) = (compared_at is null))
);
create index reconciliation_newest on reconciliation (partner, no);
create index reconciliation_day on reconciliation (partner, day, no);
comment on table reconciliation is 'one list that we gave a partner about a day, and the list it answered with: evidence, never deleted';
comment on column reconciliation.no is 'order';
comment on column reconciliation.list_id is 'id of the exchange';
comment on column reconciliation.partner is 'with whom';
comment on column reconciliation.day is 'Korean day on which the messages were sealed';
comment on column reconciliation.ours is 'our list, compact JWS';
comment on column reconciliation.stated_at is 'when we made it';
comment on column reconciliation.next_at is 'when to ask again, or to state the day anew';
comment on column reconciliation.theirs is 'the partner''s list, compact JWS; null until it was compared';
comment on column reconciliation.compared_at is 'when both were compared';
comment on column reconciliation.tries is 'how often the partner was asked in vain';
comment on column reconciliation.why is 'why the last time';
comment on column reconciliation.waiting is 'messages that were still on their way';
comment on column reconciliation.differing is 'messages on which the books differed';
comment on column reconciliation.settled is 'the whole day, nothing under way, no difference';

create table reconciliation_difference (
    partner    text not null,
    mid        uuid not null,
    direction  text not null check (direction in ('out', 'in')),
    what       text not null,
    day        date not null,
    found_at   timestamptz not null,
    gone_at    timestamptz,
    primary key (partner, mid, direction, what)
);
create index reconciliation_difference_open on reconciliation_difference (partner, day) where gone_at is null;
comment on table reconciliation_difference is 'a message on which our books and a partner''s differ';
comment on column reconciliation_difference.partner is 'with whom';
comment on column reconciliation_difference.mid is 'which message; perhaps one that we do not have';
comment on column reconciliation_difference.direction is 'out or in, as we see it';
comment on column reconciliation_difference.what is 'not-sent, not-there, not-across, other-bytes, other-state';
comment on column reconciliation_difference.day is 'Korean day on which it was sealed';
comment on column reconciliation_difference.found_at is 'when it was seen first';
comment on column reconciliation_difference.gone_at is 'when both agreed again; null: open';

alter table reconciliation enable row level security, force row level security;
alter table reconciliation_difference enable row level security, force row level security;
create policy of_partner on reconciliation
    using (partner = (select current_setting('app.partner', true))
           or (select current_setting('app.partner', true)) = '*');
create policy of_partner on reconciliation_difference
    using (partner = (select current_setting('app.partner', true))
           or (select current_setting('app.partner', true)) = '*');
revoke update, delete on reconciliation from gateway_app;
grant update (next_at, theirs, compared_at, tries, why, waiting, differing, settled) on reconciliation to gateway_app;
