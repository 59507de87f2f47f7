-- Dead letters, and sending them again.

-- name: dead
select d.partner, d.mid::text, m.type, d.case_no, m.ref_no, d.seq, d.state, d.error_class, d.attempts, d.first_at,
       m.body_sha256,
       exists (select 1 from delivery e where e.partner = d.partner and e.case_no = d.case_no and e.seq > d.seq
                                          and e.state = 'delivered')
from delivery d join message m on m.partner = d.partner and m.direction = 'out' and m.mid = d.mid
where d.state in ('dead', 'blocked') and (d.state = 'dead' or d.error_class = 'rejected')
  and (:partner::text is null or d.partner = :partner) and m.body <> ''
order by d.partner, d.case_no, d.seq;

-- name: attempts_of
select a.partner, a.mid::text, a.fence, a.phase, a.http_status, a.result, a.error_class, a.began_at, a.ended_at, a.head,
       m.case_no, (select k.content from vault_key k where k.case_no = m.case_no)
from attempt a join message m on m.partner = a.partner and m.direction = 'out' and m.mid = a.mid
where a.mid = :mid order by a.fence;

-- name: add_replay!
insert into replay (replay_id, partner, planned_by, planned_at) values (:replay_id, :partner, :planned_by, :planned_at);

-- name: add_replay_messages!
insert into replay_message (replay_id, partner, mid) select :replay_id, :partner, unnest(:mids::uuid[]);

-- name: get_replay^
select replay_id::text, partner, planned_by, planned_at,
       array(select mid::text from replay_message m where m.replay_id = r.replay_id order by mid), executed_by, executed_at
from replay r where replay_id = :replay_id for update;

-- name: replay_executed!
update replay set executed_by = :executed_by, executed_at = :executed_at where replay_id = :replay_id;

-- name: keep_rejections!
-- The partner's signed no stays with the plan; its place is free for the next receipt. Of what has no bytes any more it
-- is the last word.
with gone as (
    delete from receipt r using replay_message p, message m
    where p.replay_id = :replay_id and r.partner = p.partner and r.direction = 'out' and r.mid = p.mid
      and r.decision = 'rejected'
      and m.partner = p.partner and m.direction = 'out' and m.mid = p.mid and m.body <> ''
    returning r.partner, r.mid, r.jws
)
update replay_message p set rejection = gone.jws from gone where p.replay_id = :replay_id and p.mid = gone.mid;

-- name: make_ready
-- What the plan names may have moved on meanwhile, and its content may have ended. Returns what is ready now.
with again as (
    select d.partner, d.mid, row_number() over (order by d.case_no, d.seq) - 1 as place
    from delivery d join replay_message p on p.partner = d.partner and p.mid = d.mid
    join message m on m.partner = d.partner and m.direction = 'out' and m.mid = d.mid and m.body <> ''
    where p.replay_id = :replay_id and (d.state = 'dead' or (d.state = 'blocked' and d.error_class = 'rejected'))
)
update delivery d set state = 'ready', attempts = 0, crashes = 0, error_class = null, first_at = now(),
       next_at = now() + make_interval(secs => a.place / :per_s::float8)
from again a where d.partner = a.partner and d.mid = a.mid
returning d.mid::text;

-- name: end_work_of!
update work_item set done_at = now()
where done_at is null and kind in ('delivery-dead', 'delivery-blocked') and mid = any(:mids::uuid[]);
