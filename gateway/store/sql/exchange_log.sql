-- The tree: what the sequencer appends, and what the publisher and the self-check read.

-- name: alone$
select pg_try_advisory_xact_lock(hashtext('gateway.exchange-log.' || :what));

-- name: open_head^
-- The open log; its row stays locked until this transaction ends.
select shard, origin, vkey, size, root, true from xlog_head where closed_at is null for update;

-- name: heads
select shard, origin, vkey, size, root, closed_at is null from xlog_head order by shard;

-- name: add_head$
insert into xlog_head (shard, origin, vkey, size, root)
values ((select coalesce(max(shard), 0) + 1 from xlog_head), :origin, :vkey, 0, :root) returning shard;

-- name: move_head!
update xlog_head set size = :size, root = :root where shard = :shard;

-- name: close_head!
update xlog_head set closed_at = clock_timestamp() where shard = :shard;

-- name: is_due$
-- Whether a round would have anything to do, without a lock and without a write. Asked for in the order in which the
-- queue is emptied: in any other, all that has just left it is walked over.
select (select min(id) from xlog_pending) is not null or coalesce((
    select c.created_at < clock_timestamp() - :silence::interval
    from xlog_checkpoint c join xlog_head h using (shard)
    where h.closed_at is null order by c.size desc limit 1), true);

-- name: place_pending
-- Takes leaves out of the queue and gives them their places. Never "those after the last one": what commits late has a
-- smaller number.
with taken as (
    delete from xlog_pending where id in (select id from xlog_pending order by id limit :limit) returning id, event_id, leaf
), placed as (
    insert into xlog_entry (shard, idx, event_id, leaf, integrated_at)
    select :shard, :first + row_number() over (order by id) - 1, event_id, leaf, clock_timestamp() from taken
    returning idx, leaf
)
select idx, leaf from placed order by idx;

-- name: add_entry!
insert into xlog_entry (shard, idx, event_id, leaf, integrated_at)
values (:shard, :idx, :event_id, :leaf, clock_timestamp());

-- name: grow_tiles!
insert into xlog_tile (shard, level, n, data)
select :shard, level, n, data from unnest(:levels::smallint[], :ns::bigint[], :datas::bytea[]) as new (level, n, data)
on conflict (shard, level, n) do update set data = excluded.data;

-- name: tile$
select data from xlog_tile where shard = :shard and level = :level and n = :n;

-- name: tiles
-- One look into the index for each.
select t.level, t.n, t.data
from unnest(:levels::smallint[], :ns::bigint[]) as asked (level, n)
cross join lateral (
    select * from xlog_tile x where x.shard = :shard and x.level = asked.level and x.n = asked.n offset 0
) t;

-- name: tiles_beyond
-- Tiles that a log of so many leaves does not have: its first hash stands for leaves that there are not.
select level, n from xlog_tile
where shard = :shard and (n * 256 + 1) * power(256::numeric, level) > :size order by level, n;

-- name: add_checkpoint!
insert into xlog_checkpoint (shard, size, root, note) values (:shard, :size, :root, :note);

-- name: newest_checkpoint^
select size, root, note, created_at from xlog_checkpoint where shard = :shard order by size desc limit 1;

-- name: newest_note$
-- The same with its cosignatures, of each witness the last one.
select c.note || coalesce((
    select string_agg(x.line, '' order by x.witness) from (
        select distinct on (witness) witness, line from xlog_cosig
        where shard = c.shard and size = c.size order by witness, at desc) x), '')
from xlog_checkpoint c where c.shard = :shard order by c.size desc limit 1;

-- name: moment^
-- The database's clock, and since when no checkpoint was signed.
select clock_timestamp(), (select created_at from xlog_checkpoint where shard = :shard order by size desc limit 1);

-- name: checkpoints
-- With every cosignature: by whom, and what it says.
select c.size, c.root, c.note,
       array(select x.witness from xlog_cosig x where x.shard = c.shard and x.size = c.size order by x.witness, x.at),
       array(select x.line from xlog_cosig x where x.shard = c.shard and x.size = c.size order by x.witness, x.at)
from xlog_checkpoint c
where c.shard = :shard and c.size > :after order by c.size limit :limit;

-- name: cosignatures
-- Of each witness the last one.
select distinct on (witness) line from xlog_cosig where shard = :shard and size = :size order by witness, at desc;

-- name: last_cosigned^
select size, at from xlog_cosig where witness = :witness and shard = :shard order by at desc limit 1;

-- name: first_signed$
select created_at from xlog_checkpoint where shard = :shard order by size limit 1;

-- name: cosigned_sizes
-- Who has cosigned the newest sizes that anybody has.
select size, array_agg(distinct witness) from xlog_cosig where shard = :shard group by size order by size desc limit :limit;

-- name: note_of_size$
select note from xlog_checkpoint where shard = :shard and size = :size;

-- name: add_cosignature!
insert into xlog_cosig (shard, size, witness, line, at) values (:shard, :size, :witness, :line, :at)
on conflict do nothing;

-- name: newest_stamp^
select s.size, s.at, s.response, c.note
from xlog_stamp s join xlog_checkpoint c using (shard, size) where s.shard = :shard order by s.size desc limit 1;

-- name: first_stamp_with^
-- The first stamped head that holds an entry, as long as it is no larger than the head shown.
select s.response, c.note from xlog_stamp s join xlog_checkpoint c using (shard, size)
where s.shard = :shard and s.size > :idx and s.size <= :size order by s.size limit 1;

-- name: stamps_kept$
select count(*) from xlog_stamp;

-- name: stamps
-- The stamps of a log in order, each with the note it is over.
select s.size, s.at, s.response, c.note from xlog_stamp s join xlog_checkpoint c using (shard, size)
where s.shard = :shard and s.size > :after order by s.size limit :limit;

-- name: add_stamp!
insert into xlog_stamp (shard, size, response, at) values (:shard, :size, :response, :at) on conflict do nothing;

-- name: add_outside!
insert into xlog_outside (shard, witness, note) values (:shard, :witness, :note) on conflict do nothing;

-- name: seen_outside
select note from xlog_outside where shard = :shard order by at;

-- name: first_of_next$
-- The first leaf of the log that follows.
select leaf from xlog_entry
where shard = (select min(shard) from xlog_head where shard > :shard) and idx = 0;

-- name: work_is_open$
select exists (select from work_item where kind = :kind and code = :code and done_at is null);

-- name: entries
select idx, leaf from xlog_entry where shard = :shard and idx >= :first order by idx limit :limit;

-- name: entry_of_event^
select shard, idx, leaf from xlog_entry
where event_id = case when :event_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then :event_id::uuid end;

-- name: entries_of_events
select shard, idx, event_id::text, leaf from xlog_entry where event_id = any(:event_ids::uuid[]) order by shard, idx;

-- name: first_checkpoint_with^
-- The first head that holds an entry.
select size, note from xlog_checkpoint where shard = :shard and size > :idx order by size limit 1;

-- name: events_of_message
select event_id::text from audit_event where mid = :mid and event_id is not null order by id;

-- name: promised_entry^
-- Our receipt for a message, and the entry of the act that took it in; nulls while it waits for its place.
select r.jws, x.shard, x.idx, x.leaf
from receipt r
cross join lateral (select e.event_id from audit_event e
                    where e.mid = r.mid::text and e.partner = r.partner and e.act = 'message.received'
                    order by e.id limit 1) taken
left join xlog_entry x using (event_id)
where r.partner = :partner and r.direction = 'in' and r.mid = :mid;

-- name: receipts_of
-- Our receipts for messages of a partner, as they were given out.
select partner, mid::text, jws from receipt
where direction = 'in' and (partner, mid) in (select * from unnest(:partners::text[], :mids::uuid[]));

-- name: receipts_unplaced
-- Our receipts for messages whose act has no place in the log.
select r.partner, r.mid::text, r.jws from receipt r
where r.direction = 'in' and not exists (
    select from audit_event e join xlog_entry x using (event_id)
    where e.mid = r.mid::text and e.partner = r.partner and e.act = 'message.received')
order by r.partner, r.mid;

-- name: events_behind
-- The acts that these entries commit to, with the keys of their cases; where an act brings a message into being, with
-- the digest of it (a partner may use an id of ours for a message of its own), and whether its case was destroyed whole.
-- A time that no act can have, before all years or after them, is none.
select e.event_id::text, case when e.at between '0001-01-02' and '9999-12-30' then e.at end, e.act, e.actor, e.purpose, e.verdict, e.code, e.case_no, e.ref_no, e.partner, e.mid,
       e.subject, e.counts, k.subj::text, k.wrapped,
       case when e.act = any(:moving) then (
           select m.body_sha256 from message m
           where m.mid = case when e.mid ~ '^[0-9a-f-]{36}$' then e.mid::uuid end and m.partner = e.partner
             and m.direction = case e.act when 'message.received' then 'in' else 'out' end) end,
       e.act = any(:moving) and e.case_no is not null
       and not exists (select from case_record c where c.case_no = e.case_no)
from xlog_entry x join audit_event e using (event_id) left join vault_key k using (case_no)
where x.shard = :shard and x.idx between :first and :last;

-- name: acts_with_keys
-- These acts with the keys of their cases, but for those whose key was destroyed.
select e.event_id::text, e.at, e.act, e.actor, e.purpose, e.verdict, e.code, e.case_no, e.ref_no, e.partner, e.mid,
       e.subject, e.counts, k.subj::text, k.wrapped
from audit_event e left join vault_key k using (case_no)
where e.event_id = any(:event_ids::uuid[]) and (k.wrapped is not null or e.case_no is null);

-- name: subjs_alive
select subj::text from vault_key where subj = any(:subjs::uuid[]);

-- name: unlogged
-- Acts without a leaf: neither in the tree nor waiting; and acts that never had one, and stand behind the first that has
-- or are of a later time than it.
select count(*), min(id) from (
    select e.id from audit_event e
    where e.event_id is not null
          and not exists (select from xlog_entry x where x.event_id = e.event_id)
          and not exists (select from xlog_pending p where p.event_id = e.event_id)
    union all
    select id from audit_event
    where event_id is null and (id > (select min(id) from audit_event where event_id is not null)
                                or at > (select min(at) from audit_event where event_id is not null))
) bare;

-- name: overdue$
-- Leaves that wait longer than was promised.
select count(*) from xlog_pending where created_at < clock_timestamp() - make_interval(secs => :seconds);

-- name: check_is_due$
-- A day after the last self-check, or after the first log was opened.
select coalesce((select max(at) from audit_event where act = 'log.checked'), (select min(opened_at) from xlog_head))
       < clock_timestamp() - :every::interval;

-- name: leaves
-- Every leaf with the log and the number of its entry; those that wait have neither.
select origin, idx, leaf from (
    select h.origin, x.shard, x.idx, x.leaf from xlog_entry x join xlog_head h using (shard)
    union all select null, null, null, leaf from xlog_pending
) every_leaf order by shard, idx;

-- name: stretch
-- The leaves of a stream in a period, those that wait among them, and the number before each: a number that is missing
-- was taken by an act whose leaf somebody took away. Acts and messages that leaves speak of are looked for as well,
-- but for those of cases that were destroyed whole.
with said as (
    select event_id, convert_from(leaf, 'UTF8')::json as leaf from xlog_entry
    union all select event_id, convert_from(leaf, 'UTF8')::json from xlog_pending
), stream as (
    select event_id, leaf ->> 'act' as act, leaf ->> 'mid' as mid, (leaf ->> 'seq')::bigint as seq,
           (leaf ->> 'at')::timestamptz as at
    from said where leaf ->> 'stream' = :stream
), stepped as (
    select *, coalesce(lag(seq) over (order by seq), 0) as before, lag(at) over (order by seq) as before_at from stream
)
select s.seq, s.before, s.at < :until, s.mid, e.id is null, e.id is not null and s.act = any(:moving) and s.mid is not null
       and (e.case_no is null or exists (select from case_record c where c.case_no = e.case_no))
       and not exists (select from message m where m.partner = :stream and m.mid = s.mid::uuid
                       and m.direction = case s.act when 'message.received' then 'in' else 'out' end)
from stepped s left join audit_event e using (event_id)
where (s.at >= :since and s.at < :until)
   or (s.seq > s.before + 1 and s.at >= :until and coalesce(s.before_at, '-infinity') < :until)
order by s.seq;
