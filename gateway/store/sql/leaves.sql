-- The leaf of an act, in the transaction of the act.


-- name: take_places
-- The last thing a transaction does before its rows: from here to the commit nobody else numbers these streams. Locked
-- in order, and the clock is read under the lock, so that within a stream time goes the way of the numbers.
-- `wanted`: how many of each stream, {"KEIS": 2}.
with wanted as materialized (select key as stream, value::bigint as many from json_each_text(:wanted::json)),
mine as (
    select stream from xlog_stream where stream = any(array(select stream from wanted)) order by stream for update
),
taken as (
    update xlog_stream s set seq = s.seq + w.many
    from wanted w where s.stream = w.stream and s.stream in (select stream from mine)
    returning s.stream, s.seq, w.many
)
select stream, seq - many, clock_timestamp() from taken;

-- name: take_place^
-- The same of one stream, as most transactions do: with less to plan and to join.
update xlog_stream set seq = seq + :many where stream = :stream returning stream, seq - :many, clock_timestamp();

-- name: open_streams!
insert into xlog_stream (stream, seq)
select stream, 0 from unnest(:streams::text[]) as new (stream) order by stream on conflict do nothing;

-- name: add_events!
-- The acts and their leaves, in one statement; leaves of a stream in the order of their numbers. They come as JSON: the
-- driver looks at one parameter, where it would look at an array for every column.
with said as (
    select * from rows from (json_to_recordset(:events::json) as (
        event_id uuid, at timestamptz, act text, actor text, purpose text, verdict text, code text, case_no text,
        ref_no text, partner text, mid text, subject text, counts jsonb, leaf text
    )) with ordinality as s (
        event_id, at, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts, leaf, n)
),
kept as (
    insert into audit_event
        (event_id, at, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts)
    select event_id, at, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts
    from said order by n
)
insert into xlog_pending (event_id, leaf) select event_id, convert_to(leaf, 'UTF8') from said order by n;
