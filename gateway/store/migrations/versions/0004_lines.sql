-- The lines to partners and their breakers.

create table partner_line (
    partner   text primary key,
    breaker   text not null default 'closed' check (breaker in ('closed', 'open', 'half-open')),
    why       text,
    failures  integer not null default 0,
    probes    integer not null default 0,
    due_at    timestamptz,
    recent    jsonb not null default '[]',
    check (breaker = 'closed' or due_at is not null)
);
comment on table partner_line is 'how the line to a partner stands; a partner that is missing has a closed line';
comment on column partner_line.partner is 'partner';
comment on column partner_line.breaker is 'closed: messages flow; open: nothing is tried; half-open: one probe is under way';
comment on column partner_line.why is 'what tripped it: in-a-row, too-many or refused';
comment on column partner_line.failures is 'technical failures in a row';
comment on column partner_line.probes is 'probes that failed since it opened';
comment on column partner_line.due_at is 'open: when the next probe is due; half-open: when the probe counts as lost; database clock';
comment on column partner_line.recent is 'attempts of the last minute: [slot of five seconds, tried, failed] each';

alter table partner_line enable row level security, force row level security;
create policy of_partner on partner_line
    using (partner = (select current_setting('app.partner', true))
           or (select current_setting('app.partner', true)) = '*');
