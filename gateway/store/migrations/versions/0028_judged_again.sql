-- A judgement of an outcome may become another by time alone: a no is one after 45 days, an end that was planned comes. The
-- day is kept with the leg; a leg that was judged before it was kept is judged once more. And of two words of the same
-- content that wait for their turn, a deletion was lost behind a change: each kind of change waits by itself.
-- This step only adds (phase pre): the release before does not look at the day, and names no key when it parks.

alter table leg add column judge_on date default '0001-01-01';
comment on column leg.judge_on is 'business day from which its outcome is judged again although it has not changed; null: none lies ahead';
create index leg_judged_again on leg (judge_on) where tracked = version and judge_on is not null;

alter table parked_record drop constraint parked_record_pkey, add primary key (case_no, version, facts_sha256, change);
