-- A line that has closed again goes slowly at first. This step only adds (phase pre).

alter table partner_line add column at_once integer check (at_once > 0), add column slow_until timestamptz,
    add check ((at_once is null) = (slow_until is null));
comment on column partner_line.at_once is
    'so many messages may be under way until slow_until, whoever tries them; empty: as many as workers have hands';
comment on column partner_line.slow_until is
    'until when the line goes slowly, for the partner has just come back; database clock; empty where it goes as ever';
