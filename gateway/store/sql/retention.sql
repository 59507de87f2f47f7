-- How long records are kept, and their end. What may go is decided by functions of the schema (step 0006).

-- name: take_day!
-- Whoever comes first on a business day.
insert into daily_round (round, day) values (:round, :day)
on conflict (round) do update set day = excluded.day where daily_round.day < excluded.day;

-- name: due_put_aside^
-- What may go, and what of it is held.
select count(*) filter (where h.case_no is null), count(h.case_no)
from due_put_aside(:before) d left join legal_hold h on h.case_no = d.case_no;

-- name: due_content^
select count(*) filter (where h.case_no is null), count(h.case_no)
from due_content(:before) d (case_no) left join legal_hold h on h.case_no = d.case_no;

-- name: due_evidence^
select count(*) filter (where h.case_no is null), count(h.case_no)
from closed_cases(:before) d (case_no) left join legal_hold h on h.case_no = d.case_no;

-- name: destroy_put_aside$
select destroy_put_aside(:before, :most);

-- name: destroy_content$
select destroy_content(:before, :most);

-- name: destroy_evidence$
select destroy_evidence(:before, :most);

-- name: destroy_returned$
select destroy_returned(:most);

-- name: hold!
-- Who is destroying the case just now is waited for; then there may be nothing left to hold.
insert into legal_hold (case_no, reason, since)
select case_no, :reason, :since from (select case_no from case_record where case_no = :case_no for update) c
on conflict (case_no) do nothing;

-- name: release_hold!
delete from legal_hold where case_no = :case_no;

-- name: holds
select case_no, reason, since from legal_hold order by since, case_no;

-- name: files_on_hold
-- Files in which something of a held case stands: what they brought, put aside or let wait, and updates written back.
select f.base_date, f.file_seq from handover_file f
where f.file_id in (select file_id from case_history where case_no in (select case_no from legal_hold)
                    union select file_id from quarantined_record where case_no in (select case_no from legal_hold)
                    union select file_id from parked_record where case_no in (select case_no from legal_hold))
union
select file_date, file_seq from rtw_update where file_seq is not null and case_no in (select case_no from legal_hold);
