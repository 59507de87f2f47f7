-- The cases that may have a leg to be called back are found by an index; those that have none are settled at once. This
-- step only adds (phase pre): the index is built beside the writers, outside a transaction, and again from the start if
-- that broke off. Who changes one of the cases that are settled waits until all of them are.

drop index concurrently if exists case_record_unsettled;
create index concurrently case_record_unsettled on case_record (case_no)
    where not settled and (barred or version > 1 or unserved <> '');
with over as materialized (
    select c.case_no, c.xmin as written_by from case_record c
    where not c.settled and (c.barred or c.version > 1 or c.unserved <> '')
      and (select true from leg l where l.case_no = c.case_no
           and l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
           and (c.barred or c.version <> l.case_version or l.partner = any(string_to_array(c.unserved, ' ')))
           limit 1) is null
    order by c.case_no for update of c skip locked
)
update case_record set settled = true from over
where case_record.case_no = over.case_no and case_record.xmin = over.written_by;
