-- Keys of ours follow one another: each signs from a moment that is stated before. This step only adds (phase pre).

alter table partner_key add column signs_from timestamptz, add column begun_at timestamptz, add column ended_at timestamptz;
comment on column partner_key.signs_from is 'from when we sign with it, by the clock of the database; null: its owner does';
comment on column partner_key.begun_at is 'when it was kept as an act that we sign with it';
comment on column partner_key.ended_at is 'when it was kept as an act that its time is over';

update partner_key set signs_from = not_before, begun_at = not_before where owner = 'comwel';
