-- The gate of a partner: what an officer said about its line.

alter table partner_line
    add column gate text not null default 'open' check (gate in ('open', 'paused', 'stopped')),
    add column gate_reason text,
    add column gate_by text,
    add column gate_at timestamptz;
comment on column partner_line.gate is 'open; paused: nothing is sent; stopped: nothing is taken in either';
comment on column partner_line.gate_reason is 'why an officer turned it last';
comment on column partner_line.gate_by is 'id of that officer';
comment on column partner_line.gate_at is 'when, database clock';
