-- Who holds a seat is kept from the owner of the tables as well, now that no process of release 0.1.0 is left, and two indexes
-- by which only earlier releases looked for whom to call back are gone (phase post).

alter table standing force row level security;
drop index case_record_barred;
drop index case_record_to_call_back;
