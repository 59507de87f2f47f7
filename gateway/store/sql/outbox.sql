-- Messages out and their delivery.

-- name: add_message!
insert into message
    (partner, direction, mid, type, case_no, ref_no, seq, content_type, body, jws, body_sha256, map_pin, map_digest,
     fields, fhir, at)
values (:partner, :direction, :mid, :type, :case_no, :ref_no, :seq, :content_type, :body, :jws, :body_sha256, :map_pin,
        :map_digest, :fields, :fhir, :at);

-- name: add_messages!
-- Many at once; the fields of a message come as lines of one text.
insert into message
    (partner, direction, mid, type, case_no, ref_no, seq, content_type, body, jws, body_sha256, map_pin, map_digest,
     fields, fhir, at)
select n.partner, n.direction, n.mid, n.type, n.case_no, n.ref_no, n.seq, n.content_type, n.body, n.jws, n.body_sha256,
       n.map_pin, n.map_digest, string_to_array(n.fields, chr(10)), n.fhir, n.at
from unnest(:partner::text[], :direction::text[], :mid::uuid[], :type::text[], :case_no::text[], :ref_no::text[],
            :seq::integer[], :content_type::text[], :body::bytea[], :jws::text[], :body_sha256::bytea[],
            :map_pin::text[], :map_digest::text[], :fields::text[], :fhir::bytea[], :at::timestamptz[])
     as n (partner, direction, mid, type, case_no, ref_no, seq, content_type, body, jws, body_sha256, map_pin,
           map_digest, fields, fhir, at);

-- name: queue!
insert into delivery (partner, mid, case_no, seq, state, next_at, first_at)
select q.partner, q.mid, q.case_no, q.seq, 'ready', q.at, q.at
from unnest(:partner::text[], :mid::uuid[], :case_no::text[], :seq::integer[], :at::timestamptz[])
     as q (partner, mid, case_no, seq, at);

-- name: last_seqs
select partner, case_no, max(seq) from message where direction = 'out' and case_no = any(:case_nos) group by partner, case_no;

-- name: claim
-- Lease due messages, head of line per (partner, case); the database's clock decides, SKIP LOCKED keeps workers apart.
-- A lease begins when it is taken, however long its transaction has waited. A gate that is shut gives nothing, an open
-- line nothing until its probe is due, and then one; a line that goes slowly gives to who has counted what is under way.
-- Whoever held a lease that ran out has died of something: such a message comes alone.
with line as (
    select coalesce(max(case when gate <> 'open' then 0
                             when breaker <> 'closed' then case when due_at <= now() then 1 else 0 end
                             when slow_until > now() then :slowly
                             else :limit end), :limit) as lets,
           coalesce(bool_or(breaker <> 'closed'), false) as probe
    from partner_line where partner = :partner
), head as (
    select d.partner, d.mid, d.crashes + (d.state = 'leased')::integer as crashes from delivery d
    where d.partner = :partner and d.next_at <= now()
      and (d.state = 'ready' or (d.state = 'leased' and d.lease_until < now()))
      and not exists (select 1 from delivery e where e.partner = d.partner and e.case_no = d.case_no
                                                 and e.seq < d.seq and e.state in ('ready', 'leased'))
    order by d.next_at, d.seq limit (select lets from line)
    for update skip locked
), suspect as (
    select mid from head where crashes > 0 order by crashes desc, mid limit 1
), chosen as (
    select * from head where mid = (select mid from suspect) or not exists (select 1 from suspect)
)
update delivery d
set state = 'leased', fence = d.fence + 1, lease_owner = :worker, crashes = h.crashes,
    lease_until = clock_timestamp() + make_interval(secs => :lease_s)
from chosen h join message m on m.partner = h.partner and m.direction = 'out' and m.mid = h.mid
where d.partner = h.partner and d.mid = h.mid
returning m.partner, m.direction, m.mid::text, m.type, m.case_no, m.ref_no, m.seq, m.content_type, m.body, m.jws,
          m.body_sha256, m.map_pin, m.map_digest, m.fields, m.fhir, m.at, m.head, d.attempts, d.first_at, d.fence,
          (select probe from line), d.crashes, clock_timestamp(),
          (select k.content from vault_key k where k.case_no = m.case_no);

-- name: under_way$
select count(*) from delivery where partner = :partner and state = 'leased' and lease_until > now();

-- name: finish_deliveries
-- Only the holder of the fence may end an attempt; returns the messages of those who were.
update delivery d set state = f.state, attempts = attempts + 1, next_at = f.next_at, error_class = f.error_class,
       lease_owner = null, lease_until = null, crashes = 0
from unnest(:partners::text[], :mids::uuid[], :fences::int[], :states::text[], :next_ats::timestamptz[],
            :error_classes::text[]) as f (partner, mid, fence, state, next_at, error_class)
where d.partner = f.partner and d.mid = f.mid and d.fence = f.fence and d.state = 'leased'
returning d.mid::text;

-- name: release*!
update delivery set state = 'ready', lease_owner = null, lease_until = null
where partner = :partner and mid = :mid and fence = :fence and state = 'leased';

-- name: add_attempts!
insert into attempt (partner, mid, fence, phase, http_status, result, error_class, began_at, ended_at, head)
select * from unnest(:partner::text[], :mid::uuid[], :fence::int[], :phase::text[], :http_status::int[],
                     :result::text[], :error_class::text[], :began_at::timestamptz[], :ended_at::timestamptz[],
                     :head::bytea[])
on conflict do nothing;

-- name: postpone$
-- What would be due while a partner takes nothing is due when it does; what was never tried counts its days from then.
with due as (
    select partner, mid from delivery
    where partner = :partner and next_at < :until
      and (state = 'ready' or (state = 'leased' and lease_until < now()))
    for update skip locked
), moved as (
    update delivery d set next_at = :until, first_at = case when d.attempts = 0 then :until else d.first_at end
    from due where d.partner = due.partner and d.mid = due.mid
    returning 1
) select count(*) from moved;

-- name: cancel_unsent
-- Block what has not been delivered about a leg, of these types; what is being sent right now keeps its fence and its
-- fate.
update delivery d set state = 'blocked', error_class = 'cancelled'
from message m
where m.partner = :partner and m.direction = 'out' and m.case_no = :case_no and m.ref_no = :ref_no
  and m.type = any(:types) and d.partner = m.partner and d.mid = m.mid and d.state = 'ready'
returning d.mid::text;

-- name: seals_of_leg
select jws from message
where partner = :partner and direction = 'out' and case_no = :case_no and ref_no = :ref_no order by seq;

-- name: ever_tried$
-- A lease that ran out (crashes) may have ended after the request was sent; a replay counts attempts anew, so those that
-- are written down count, too. Of the message that the caller holds: those before this one.
select exists (
    select 1 from message m join delivery d on d.partner = m.partner and d.mid = m.mid
    where m.partner = :partner and m.direction = 'out' and m.case_no = :case_no and m.ref_no = :ref_no
      and m.type = any(:types)
      and ((d.mid is distinct from :but and (d.attempts > 0 or d.crashes > 0 or d.state in ('leased', 'delivered')))
           or exists (select 1 from attempt a where a.partner = d.partner and a.mid = d.mid
                                                and (d.mid is distinct from :but or a.fence < d.fence))));

-- name: last_told$
select type from message where partner = :partner and direction = 'out' and case_no = :case_no and ref_no = :ref_no
order by seq desc limit 1;

-- name: waiting
select partner, count(*) from delivery where state in ('ready', 'leased') group by partner order by partner;

-- name: find_message^
select partner, direction, mid::text, type, case_no, ref_no, seq, content_type, body, jws, body_sha256, map_pin,
       map_digest, fields, fhir, at, head, (select k.content from vault_key k where k.case_no = message.case_no)
from message
where mid = :mid and (:partner::text is null or partner = :partner) and (:direction::text is null or direction = :direction)
order by direction desc limit 1;

-- name: report_exchanges
-- One row a message, in order of time.
select m.at, m.direction, m.partner, m.mid::text as mid, m.type, m.case_no, m.ref_no, m.seq,
       encode(m.body_sha256, 'hex') as sha256, m.map_pin, m.map_digest,
       coalesce(d.state, i.state) as state, coalesce(d.error_class, i.code) as code, d.attempts,
       r.decision as receipt, r.at as receipt_at
from message m
left join delivery d on m.direction = 'out' and d.partner = m.partner and d.mid = m.mid
left join inbox i on m.direction = 'in' and i.partner = m.partner and i.mid = m.mid
left join receipt r on r.partner = m.partner and r.direction = m.direction and r.mid = m.mid
order by m.at, m.partner, m.mid;
