-- How things stand, for those who watch. Every query: its labels, then the number. What is known to exist is shown as 0.
-- None of these may walk a table that grows for ever: each has a partial index, or a small table.

-- name: figure_deliveries
-- Messages that are not across, per partner and state.
with found as (
    select partner, state, count(*) as n from delivery
    where state in ('ready', 'leased') or state in ('blocked', 'dead') group by partner, state
), partners as (select unnest(:partners::text[]) as partner union select partner from found)
select p.partner, s.state, coalesce(f.n, 0)
from partners p cross join unnest(array['ready', 'leased', 'blocked', 'dead']) s (state)
left join found f using (partner, state);

-- name: figure_oldest_waiting
-- For how long the oldest message that is not across has been waiting, in seconds.
select p.partner, coalesce(extract(epoch from now() - min(d.first_at)), 0)::float8
from unnest(:partners::text[]) p (partner)
left join delivery d on d.partner = p.partner and d.state in ('ready', 'leased')
group by p.partner;

-- name: figure_longest_overdue
-- For how long a message at the head of its line could have been tried and was not, in seconds; not where a breaker or
-- an officer leaves the partner alone.
select p.partner, coalesce(extract(epoch from now() - min(greatest(d.next_at, d.lease_until))), 0)::float8
from unnest(:partners::text[]) p (partner)
left join partner_line n on n.partner = p.partner and (n.breaker <> 'closed' or n.gate <> 'open')
left join delivery d on n.partner is null and d.partner = p.partner and d.next_at <= now()
     and (d.state = 'ready' or (d.state = 'leased' and d.lease_until < now()))
     and not exists (select 1 from delivery e where e.partner = d.partner and e.case_no = d.case_no
                                                and e.seq < d.seq and e.state in ('ready', 'leased'))
group by p.partner;

-- name: figure_breakers
-- How each line stands: 1 for the state it is in.
select p.partner, s.state, (coalesce(n.breaker, 'closed') = s.state)::integer
from unnest(:partners::text[]) p (partner) cross join unnest(array['closed', 'half-open', 'open']) s (state)
left join partner_line n on n.partner = p.partner;

-- name: figure_gates
-- What an officer decided about each partner: 1 for it.
select p.partner, s.state, (coalesce(n.gate, 'open') = s.state)::integer
from unnest(:partners::text[]) p (partner) cross join unnest(array['open', 'paused', 'stopped']) s (state)
left join partner_line n on n.partner = p.partner;

-- name: figure_held
-- Reports that came too early and wait for an earlier one.
select p.partner, count(i.mid)
from unnest(:partners::text[]) p (partner) left join inbox i on i.partner = p.partner and i.state = 'held'
group by p.partner;

-- name: figure_oldest_held
select p.partner, coalesce(extract(epoch from now() - min(i.at)), 0)::float8
from unnest(:partners::text[]) p (partner) left join inbox i on i.partner = p.partner and i.state = 'held'
group by p.partner;

-- name: figure_work_open
-- What people have to look at, per kind.
select kind, count(*) from work_item where done_at is null group by kind;

-- name: figure_oldest_work
select kind, extract(epoch from now() - min(at))::float8 from work_item where done_at is null group by kind;

-- name: figure_legs_open
select partner, status, count(*) from leg
where status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error') group by partner, status;

-- name: figure_legs_overdue
-- Legs whose partner owes us the first answer, or the result, since before today.
select p.partner, c.clock, count(l.ref_no)
from unnest(:partners::text[]) p (partner) cross join unnest(array['first-answer', 'result']) c (clock)
left join leg l on l.partner = p.partner
     and l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
     and case c.clock when 'result' then l.result_due < :today
                      else l.first_answer_due < :today and l.status in ('requested', 'received') end
group by p.partner, c.clock;

-- name: figure_retention_overdue
-- Retention checks whose day has passed and that nobody has answered.
select m.milestone, count(r.ref_no)
from unnest(array['P1M', 'P3M', 'P6M', 'P12M']) m (milestone)
left join retention_check r on r.milestone = m.milestone and r.state in ('scheduled', 'due') and r.due_on < :today
group by m.milestone;

-- name: figure_handover_files
select w.way, s.status, count(f.file_id)
from unnest(array['A1', 'A6']) w (way) cross join unnest(array['accepted', 'replaced', 'rejected']) s (status)
left join handover_file f using (way, status) group by w.way, s.status;

-- name: figure_handover_records
-- Records of accepted files, taken in or put aside.
select w.way, v.verdict, coalesce(sum(case v.verdict when 'quarantined' then f.quarantined
                                                     else f.records - f.quarantined end), 0)::float8
from unnest(array['A1', 'A6']) w (way) cross join unnest(array['taken-in', 'quarantined']) v (verdict)
left join handover_file f on f.way = w.way and f.status = 'accepted' group by w.way, v.verdict;

-- name: figure_last_handover
-- When the last good file came, in seconds since 1970; missing while there was none.
select way, extract(epoch from max(received_at))::float8 from handover_file where status = 'accepted' group by way;

-- name: figure_unscreened_cases
select count(*) from case_record where status = 'live' and screened < revision and record is not null;

-- name: figure_updates_waiting
-- Return-to-work updates that are in no file to COMWEL yet.
select count(*) from rtw_update where file_seq is null;

-- name: figure_oldest_update
select coalesce(extract(epoch from now() - min(at)), 0)::float8 from rtw_update where file_seq is null;

-- name: figure_files_unwritten
-- Files that updates were put into, and that are not safely on disk.
select count(*) from rtw_file where written_at is null;

-- name: figure_book_differences
-- Messages on which our books and a partner's differ, and no officer has settled it.
select p.partner, count(d.mid)
from unnest(:partners::text[]) p (partner)
left join reconciliation_difference d on d.partner = p.partner and d.gone_at is null and exists (
    select from work_item w
    where w.kind = 'books-differ' and w.done_at is null and w.partner = d.partner and w.mid = d.mid
      and w.code = d.direction || '-' || d.what)
group by p.partner;

-- name: figure_books_in_vain
-- How often in a row a partner was asked for its list and gave none.
select p.partner, coalesce(r.tries, 0)
from unnest(:partners::text[]) p (partner) left join lateral (
    select tries * (theirs is null)::integer as tries from reconciliation r
    where r.partner = p.partner order by no desc limit 1) r on true;

-- name: figure_reviews_overdue
-- Months that ended more than fifteen days ago and whose reads nobody has signed off.
with first as (select date_trunc('month', at at time zone 'Asia/Seoul') as month from audit_event order by id limit 1)
select count(*) from first, generate_series(
    first.month, date_trunc('month', (now() - interval '15 days') at time zone 'Asia/Seoul') - interval '1 month',
    interval '1 month') m (month)
where not exists (select from audit_event where act = 'review.signed' and subject = to_char(m.month, 'YYYY-MM'));

-- name: figure_log_pending
-- Leaves that are committed and not in the tree yet.
select count(*) from xlog_pending;

-- name: figure_oldest_leaf
select coalesce(extract(epoch from now() - min(created_at)), 0)::float8 from xlog_pending;

-- name: figure_log_leaves
select coalesce(sum(size), 0)::float8 from xlog_head;

-- name: figure_last_checkpoint
-- When the open log last signed its head, in seconds since 1970; missing while it never did.
select extract(epoch from c.created_at)::float8 from xlog_head h
cross join lateral (select created_at from xlog_checkpoint c where c.shard = h.shard order by size desc limit 1) c
where h.closed_at is null;

-- name: figure_last_cosigned
-- When a witness last cosigned the newest head of the open log that anybody cosigned. While none ever did: when its first
-- head was signed, if witnesses are asked; else missing.
select extract(epoch from coalesce(x.at, f.created_at))::float8 from xlog_head h
left join lateral (select at from xlog_cosig x where x.shard = h.shard order by size desc, at desc limit 1) x on true
left join lateral (select created_at from xlog_checkpoint c where c.shard = h.shard order by size limit 1) f on :witnessed
where h.closed_at is null and coalesce(x.at, f.created_at) is not null;

-- name: figure_key_expiry
-- Until when the last valid key of each owner is valid, in seconds since 1970.
select owner, extract(epoch from max(not_after))::float8 from partner_key where revoked_at is null group by owner;

-- name: figure_writable
-- As a transaction would begin now; this one only reads because we said so.
select (not (pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean))::integer;

-- name: figure_database_size
select pg_database_size(current_database())::float8;

-- name: figure_database_clock$
select clock_timestamp();
