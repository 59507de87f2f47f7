-- Files from COMWEL, their quarantined and parked records.

-- name: find_file^
-- The file with these bytes that was taken in, be it replaced since.
select file_id::text, way, name, base_date, file_seq, mode, sha256, status, reason, records, quarantined, received_at,
       stands_for
from handover_file where way = :way and sha256 = :sha256 and status in ('accepted', 'replaced')
order by status limit 1;

-- name: files_taken_in
-- All files of a way that were taken in, oldest first.
select file_id::text, way, name, base_date, file_seq, mode, sha256, status, reason, records, quarantined, received_at,
       stands_for
from handover_file where way = :way and status in ('accepted', 'replaced') order by base_date, file_seq, received_at;

-- name: files_rejected
-- All files of a way that were rejected, in order of time.
select file_id::text, way, name, base_date, file_seq, mode, sha256, status, reason, records, quarantined, received_at,
       stands_for
from handover_file where way = :way and status = 'rejected' order by received_at, file_id;

-- name: add_file!
insert into handover_file
    (file_id, way, name, base_date, file_seq, mode, sha256, status, reason, records, quarantined, received_at,
     stands_for)
values (:file_id, :way, :name, :base_date, :file_seq, :mode, :sha256, :status, :reason, :records, :quarantined, :received_at,
        :stands_for);

-- name: quarantined_of
select file_id::text, record_no, case_no, reason, field, raw, sha256,
       (select k.content from vault_key k where k.case_no = quarantined_record.case_no)
from quarantined_record where file_id = :file_id order by record_no;

-- name: mark_replaced!
update handover_file set status = 'replaced' where file_id = :file_id;

-- name: add_quarantined!
insert into quarantined_record (file_id, record_no, case_no, reason, field, raw, sha256)
select * from unnest(:file_id::uuid[], :record_no::integer[], :case_no::text[], :reason::text[], :field::text[],
                     :raw::bytea[], :sha256::text[]);

-- name: park*!
-- The same word again is as new as the newest file that says it, and has waited since the first one.
insert into parked_record
    (case_no, version, change, old_case_no, facts, facts_sha256, file_id, record_no, parked_at, told_date, told_seq)
values (:case_no, :version, :change, :old_case_no, :facts, :facts_sha256, :file_id, :record_no, :parked_at, :told_date,
        :told_seq)
on conflict (case_no, version, facts_sha256, change) do update set
    facts = excluded.facts, file_id = excluded.file_id, record_no = excluded.record_no,
    told_date = excluded.told_date, told_seq = excluded.told_seq
where (coalesce(parked_record.told_date, '0001-01-01'), coalesce(parked_record.told_seq, 0))
    <= (coalesce(excluded.told_date, '0001-01-01'), coalesce(excluded.told_seq, 0));

-- name: parked
select case_no, version, change, old_case_no, facts, facts_sha256, file_id::text, record_no, parked_at,
       told_date, told_seq,
       (select k.content from vault_key k where k.case_no = parked_record.case_no)
from parked_record where case_no = any(:case_nos)
order by case_no, version, told_date nulls first, told_seq nulls first, parked_at, record_no;

-- name: unpark*!
delete from parked_record
where case_no = :case_no and version = :version and facts_sha256 = :facts_sha256 and change = :change;

-- name: missing_versions
-- Cases of which something has waited since before a moment, and for which version; not those of which somebody knows.
select p.case_no, 'version-' || coalesce(
           (select c.version + 1 from case_record c where c.case_no = p.case_no and c.facts is not null), 1)
from parked_record p
where not exists (select from work_item w where w.kind = :kind and w.case_no = p.case_no and w.done_at is null)
group by p.case_no having min(p.parked_at) < :before order by p.case_no limit :limit;

-- name: end_missing_versions!
-- A version for which nothing waits any more needs nobody to look for it.
update work_item w set done_at = :at
where w.kind = :kind and w.done_at is null
  and (not exists (select from parked_record p where p.case_no = w.case_no)
       or w.code <> 'version-' || coalesce(
           (select c.version + 1 from case_record c where c.case_no = w.case_no and c.facts is not null), 1));
