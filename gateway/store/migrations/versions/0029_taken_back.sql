-- Who waits for a seat moves up when COMWEL takes back a case that had one; such cases are looked for every second, and so
-- are legs whose judgement may have turned by time alone. What is odd about a leg's outcome is shown to a person once.
-- This step only adds (phase pre), and stops nobody meanwhile: the indexes are built beside the writers, outside a
-- transaction; what an attempt that broke off has left behind goes first. What was taken back before it is looked at once.

drop index concurrently if exists leg_judged_again;
create index concurrently leg_judged_again on leg (judge_on) where tracked = version and judge_on is not null;
drop index concurrently if exists case_record_taken_back;
create index concurrently case_record_taken_back on case_record (case_no)
    where status <> 'live' and screened > 0 and screened < revision;
drop index concurrently if exists work_item_about_leg;
create index concurrently work_item_about_leg on work_item (ref_no) where ref_no is not null;
comment on column case_record.screened is 'revision last screened; of a case that is gone, the one at which its seat was given on';
