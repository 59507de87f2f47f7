-- What every unit ends with, and what status reads.

-- name: add_work*!
insert into work_item (kind, code, case_no, ref_no, partner, mid, at)
values (:kind, :code, :case_no, :ref_no, :partner, :mid, :at);

-- name: end_work!
update work_item set done_at = :at
where kind = :kind and partner = :partner and (:mid::uuid is null or mid = :mid)
  and (:code::text is null or code = :code) and done_at is null;

-- name: end_work_about!
update work_item set done_at = :at where kind = :kind and case_no = any(:case_nos) and done_at is null;

-- name: work_about
select distinct kind, ref_no from work_item where kind = any(:kinds) and ref_no = any(:ref_nos);

-- name: open_work
select id, kind, code, case_no, ref_no, partner, mid::text, at, done_at
from work_item where done_at is null and (:kind::text is null or kind = :kind) order by at, id limit :limit;

-- name: do_work^
update work_item set done_at = :at where id = :number and done_at is null
returning kind, code, case_no, ref_no, partner, mid::text, at, done_at;

-- Acts are asked for by number: first which, then those, or some of them. Each statement below reads by one index and
-- no more than what it names, whatever else is null; what it names is found before the limit counts, or a plan for any
-- limit would walk through all acts in their order.

-- name: numbers_of_case$
-- The time is not what to find them by, where a young table has no statistics yet.
with those as materialized (
    select id from audit_event
    where case_no = :case_no and (:mid::text is null or mid = :mid) and (:partner::text is null or partner = :partner)
      and (:since::timestamptz is null or at >= :since) and (:until::timestamptz is null or at < :until)
      and (:acts::text[] is null or act = any(:acts))
)
select coalesce(array_agg(id order by id), '{}') from (select id from those order by id limit :limit) first;

-- name: numbers_of_message$
with those as materialized (
    select id from audit_event
    where mid = :mid and (:partner::text is null or partner = :partner)
      and (:since::timestamptz is null or at >= :since) and (:until::timestamptz is null or at < :until)
      and (:acts::text[] is null or act = any(:acts))
)
select coalesce(array_agg(id order by id), '{}') from (select id from those order by id limit :limit) first;

-- name: numbers_with_partner$
-- Partner and time as a pair, between two pairs of this partner: that is one stretch of one index. Asked for apart, the
-- time alone would look cheaper to the planner, and all partners would be read.
with those as materialized (
    select id from audit_event
    where (partner, at) >= (:partner, (select coalesce(:since::timestamptz, '-infinity')))
      and (partner, at) < (:partner, (select coalesce(:until::timestamptz, 'infinity')))
      and (:acts::text[] is null or act = any(:acts))
)
select coalesce(array_agg(id order by id), '{}') from (select id from those order by id limit :limit) first;

-- name: numbers_in_period$
-- An end that is not asked for is a subquery: row level security lets no index be used with a bare `coalesce`.
with those as materialized (
    select id from audit_event
    where at >= (select coalesce(:since::timestamptz, '-infinity'))
      and at < (select coalesce(:until::timestamptz, 'infinity'))
      and (:acts::text[] is null or act = any(:acts))
)
select coalesce(array_agg(id order by id), '{}') from (select id from those order by id limit :limit) first;

-- name: numbers_of_destructions$
with those as materialized (select id from audit_event where act = 'records.destroyed' and at >= :since)
select coalesce(array_agg(id order by id), '{}') from (select id from those order by id limit :limit) first;

-- name: events_of_numbers
select id, at, event_id::text, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid::text, subject, counts
from audit_event where id = any(:numbers::bigint[]) order by id;

-- name: reads
-- Who read how often, by counts alone: of an act about many cases, how many it says. The working day is from seven to
-- twenty in Korea.
select actor, purpose, act, count(*),
       count(distinct case_no) + coalesce(sum((counts->>'cases')::integer) filter (where case_no is null), 0),
       count(*) filter (where extract(isodow from here) > 5 or extract(hour from here) not between 7 and 19),
       count(*) filter (where act in ('acts.exported', 'bundle.made') and case_no is null and mid is null)
from (select *, at at time zone 'Asia/Seoul' as here from audit_event
      where act = any(:acts) and at >= :since and at < :until) a
group by actor, purpose, act order by actor, purpose, act;

-- name: reviewed
select subject, actor from audit_event where act = 'review.signed' order by id;

-- name: events_named
-- Acts that name what they are about with its digest.
select id, at, event_id::text, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid::text, subject, counts
from audit_event where position('/sha256-' in subject) > 0 and act = any(:acts) order by id;

-- name: counts
-- How many of what there is; the funnel of the demo and `gateway status`.
select 'cases', count(*) from case_record where facts is not null
union all select 'quarantined', count(*) from quarantined_record
union all select 'parked', count(*) from parked_record
union all select 'screening ' || result, count(*) from (
    select distinct on (case_no) result from screening order by case_no, id desc) s group by result
union all select 'referrals', count(*) from referral
union all select 'legs ' || partner || ' ' || status, count(*) from leg group by partner, status
union all select 'business ' || partner || ' ' || coalesce(business, '-'), count(*) from leg group by partner, business
union all select 'messages ' || direction, count(*) from message group by direction
union all select 'deliveries ' || state, count(*) from delivery group by state
union all select 'receipts ' || direction || ' ' || decision, count(*) from receipt group by direction, decision
union all select 'inbox ' || state, count(*) from inbox group by state
union all select 'retention ' || c.milestone || ' ' || l.partner || ' ' || coalesce(c.result, c.state), count(*)
          from retention_check c join leg l on l.ref_no = c.ref_no
          group by c.milestone, l.partner, coalesce(c.result, c.state)
union all select 'updates written', count(*) from rtw_update where file_seq is not null
union all select 'updates waiting', count(*) from rtw_update where file_seq is null
union all select 'work ' || kind, count(*) from work_item where done_at is null group by kind
union all select 'events', count(*) from audit_event;

-- name: declined
-- What partners said that refused a referral; the reason is sealed with the rest of it.
select l.partner, l.case_no, f.fact_id::text, f.content, (select k.content from vault_key k where k.case_no = l.case_no)
from leg l join outcome_fact f using (ref_no) where l.status = 'rejected' and f.content <> '';

-- name: hold_alone$
-- Hold an act until this transaction ends, if nobody does; never waits.
select pg_try_advisory_xact_lock(hashtext('gateway.' || :act));
