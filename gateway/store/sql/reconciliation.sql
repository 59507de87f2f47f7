-- What went between us and a partner, the lists exchanged about it, and where they differ.

-- name: booked
-- Messages by the time in their manifests, which both sides read; they came or were made soon after it. The receipt says
-- how they stand, ours for theirs and theirs for ours.
select m.mid::text, sha256(convert_to(m.jws, 'UTF8')), m.direction,
       case when r.decision = 'rejected' then 'rejected' when m.direction = 'in' then 'accepted'
            when r.decision is not null then 'delivered' when d.state in ('ready', 'leased') then 'waiting'
            else 'given-up' end
from message m
left join delivery d on m.direction = 'out' and d.partner = m.partner and d.mid = m.mid
left join receipt r on r.partner = m.partner and r.direction = m.direction and r.mid = m.mid
where m.partner = :partner and m.at >= :since::timestamptz - interval '2 minutes'
  and (m.direction = 'in' or (m.at < :until::timestamptz + interval '2 minutes' and d.fence > 0))
  and sealed_at(m.jws) >= :since and sealed_at(m.jws) < :until
order by m.mid, m.direction;

-- name: days_due
-- The first message is the one with the smallest id: ours are in the order of time.
with first as (
    select (at at time zone 'Asia/Seoul')::date as day from message
    where partner = :partner and direction = 'out' order by mid limit 1
)
select d.at::date from first, generate_series(greatest(:last::date - :most::integer, first.day), :last::date, interval '1 day') d (at)
where not exists (
    select from reconciliation r
    where r.partner = :partner and r.day = d.at::date and (r.settled or r.next_at > :now))
order by d.at;

-- name: newest_list^
select list_id::text, partner, day, ours, stated_at, next_at, theirs, compared_at, tries, why, waiting, differing, settled
from reconciliation where partner = :partner and (:day::date is null or day = :day) order by no desc limit 1;

-- name: last_answer$
-- A day may be answered after a later one.
select theirs from reconciliation where partner = :partner and theirs is not null
order by compared_at desc, no desc limit 1;

-- name: answers_lately
select theirs from reconciliation
where partner = :partner
  and compared_at >= (select max(compared_at) from reconciliation where partner = :partner) - interval '1 day'
order by compared_at, no;

-- name: may_be_lost$
select exists (
    select from reconciliation
    where partner = :partner and list_id <> :list_id and theirs is null
      and stated_at > (select coalesce(max(compared_at), '-infinity') from reconciliation where partner = :partner)
                      - interval '1 day');

-- name: keep_list!
insert into reconciliation (list_id, partner, day, ours, stated_at, next_at, theirs, compared_at, tries, why, waiting,
                            differing, settled)
values (:list_id, :partner, :day, :ours, :stated_at, :next_at, :theirs, :compared_at, :tries, :why, :waiting,
        :differing, :settled)
on conflict (list_id) do update
set next_at = excluded.next_at, theirs = excluded.theirs, compared_at = excluded.compared_at, tries = excluded.tries,
    why = excluded.why, waiting = excluded.waiting, differing = excluded.differing, settled = excluded.settled;

-- name: add_differences
-- Returns those that are new, or open again.
insert into reconciliation_difference as kept (partner, mid, direction, what, day, found_at)
select * from unnest(:partner::text[], :mid::uuid[], :direction::text[], :what::text[], :day::date[],
                     :found_at::timestamptz[])
on conflict (partner, mid, direction, what) do update set found_at = excluded.found_at, gone_at = null
where kept.gone_at is not null
returning partner, mid::text, direction, what, day, found_at, gone_at;

-- name: end_differences
-- Those of a day that are not among the found.
update reconciliation_difference kept set gone_at = :at
where partner = :partner and day = :day and gone_at is null and not exists (
    select from unnest(:mids::uuid[], :directions::text[], :whats::text[]) found (mid, direction, what)
    where (found.mid, found.direction, found.what) = (kept.mid, kept.direction, kept.what))
returning partner, mid::text, direction, what, day, found_at, gone_at;

-- name: open_differences
select partner, mid::text, direction, what, day, found_at, gone_at
from reconciliation_difference where partner = :partner and gone_at is null order by day, mid, direction, what;

-- name: lists_of_days
-- The newest list of each day that has one; one that was answered before one that was not.
select distinct on (day) list_id::text, partner, day, ours, stated_at, next_at, theirs, compared_at, tries, why, waiting,
       differing, settled
from reconciliation where partner = :partner and day >= :first and day <= :last
order by day, theirs is null, no desc;
