-- Which open legs were behind before the database marked them (0030), and an index of them, built beside the writers,
-- outside a transaction; what an attempt that broke off has left behind goes first. This step only adds (phase pre).

update leg l set behind = true from case_record c
where c.case_no = l.case_no and not l.behind
  and l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
  and (c.barred or c.version <> l.case_version or l.partner = any(string_to_array(c.unserved, ' ')));
drop index concurrently if exists leg_to_call_back;
create index concurrently leg_to_call_back on leg (ref_no)
    where behind and status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error');
