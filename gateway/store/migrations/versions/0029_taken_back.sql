-- Who waits for a seat moves up when COMWEL takes back a case that had one; such cases are looked for every second. What is
-- odd about a leg's outcome is shown to a person once. This step only adds (phase pre): the release before looks for neither.
-- What was taken back before it is looked at once.

create index case_record_taken_back on case_record (case_no) where status <> 'live' and screened > 0 and screened < revision;
comment on column case_record.screened is 'revision last screened; of a case that is gone, the one at which its seat was given on';
create index work_item_about_leg on work_item (ref_no) where ref_no is not null;
