-- Outcome facts, retention checks, return-to-work updates.

-- name: facts_of
-- A fact whose content was destroyed says nothing any more.
select f.fact_id::text, f.ref_no, f.seq, f.mid::text, f.content, f.entered_in_error, f.superseded_by::text,
       l.case_no, (select k.content from vault_key k where k.case_no = l.case_no)
from outcome_fact f left join leg l using (ref_no)
where f.ref_no = any(:ref_nos) and f.content <> '' order by f.ref_no, f.seq, f.at;

-- name: supersede!
update outcome_fact set entered_in_error = true, superseded_by = :by
where ref_no = :ref_no and seq = :seq and not entered_in_error;

-- name: checks_of
select ref_no, milestone, base_kind, base_date, due_on, state, result
from retention_check where ref_no = any(:ref_nos) order by due_on, ref_no for update;

-- name: checks_due
select ref_no, milestone, base_kind, base_date, due_on, state, result
from retention_check where state = 'scheduled' and due_on <= :today order by due_on, ref_no for update;

-- name: followed
select distinct ref_no from retention_check where ref_no = any(:ref_nos) and state in ('scheduled', 'due');

-- name: cancel_checks!
update retention_check set state = 'cancelled' where ref_no = :ref_no and state in ('scheduled', 'due');

-- name: checks_over
-- Checks that nobody will answer any more: the leg was called back or failed; its owner is still asked to stop, and the
-- worker died (the case is barred although a message would be permitted), or the case is gone; or nobody answered for so
-- long. The follow-up of a placement ends where its owner is told.
select r.ref_no, r.milestone, r.base_kind, r.base_date, r.due_on, r.state, r.result
from retention_check r join leg l using (ref_no) join case_record c using (case_no)
where r.state in ('scheduled', 'due')
  and (l.status in ('rejected', 'failed', 'cancelled', 'entered-in-error')
       or l.status <> 'completed' and (c.status <> 'live' or (c.barred and c.verdict = 'ok'))
       or r.due_on < :unanswered_since)
order by r.due_on, r.ref_no for update of r;

-- name: last_updates
select distinct on (ref_no) ref_no, update_no, case_no, content, file_date, file_seq, at,
       (select k.content from vault_key k where k.case_no = rtw_update.case_no)
from rtw_update where ref_no = any(:ref_nos) order by ref_no, update_no desc;

-- name: add_updates!
insert into rtw_update (ref_no, update_no, case_no, content, file_date, file_seq, at)
select * from unnest(:ref_no::text[], :update_no::integer[], :case_no::text[], :content::bytea[], :file_date::date[],
                     :file_seq::integer[], :at::timestamptz[]);

-- name: take_file_number$
insert into rtw_file (file_date, file_seq)
select :file_date, coalesce(max(file_seq), 0) + 1 from rtw_file where file_date = :file_date
returning file_seq;

-- name: put_into_file!
update rtw_update set file_date = :file_date, file_seq = :file_seq
where (ref_no, update_no) in (
    select ref_no, update_no from rtw_update where file_seq is null order by ref_no, update_no limit :limit
    for update skip locked);

-- name: updates_in_file
select ref_no, update_no, case_no, content, file_date, file_seq, at,
       (select k.content from vault_key k where k.case_no = rtw_update.case_no)
from rtw_update where file_date = :file_date and file_seq = :file_seq order by ref_no, update_no;

-- name: file_is_worth_it$
-- Enough updates wait, or the oldest waits long enough, or no leg is left to be judged, of which another may come.
select coalesce(min(at) <= :settled or count(*) >= :limit or min(at) is not null and not exists
                (select from leg where tracked < version), false)
from rtw_update where file_seq is null;

-- name: unwritten_files
select file_date, file_seq from rtw_file where written_at is null order by file_date, file_seq;

-- name: file_written!
update rtw_file set sha256 = :sha256, written_at = :at where file_date = :file_date and file_seq = :file_seq;
