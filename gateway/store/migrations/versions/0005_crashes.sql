-- A message that kills whoever tries it: how often its attempts died without a result.

alter table delivery add column crashes integer not null default 0;
comment on column delivery.crashes is 'claims in a row whose lease ran out without a result; three are E-POISON';
