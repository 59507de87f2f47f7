-- The leaf of an act, in the transaction of the act.


-- name: take_places
-- The last thing a transaction does before its rows: from here to the commit nobody else numbers these streams. Locked
-- in order, and the clock is read under the lock, so that within a stream time goes the way of the numbers.
with mine as (select stream from xlog_stream where stream = any(:streams) order by stream for update),
taken as (
    update xlog_stream s set seq = s.seq + n.many
    from unnest(:streams::text[], :many::bigint[]) as n (stream, many)
    where s.stream = n.stream and s.stream in (select stream from mine)
    returning s.stream, s.seq, n.many
)
select stream, seq - many, clock_timestamp() from taken;

-- name: open_streams!
insert into xlog_stream (stream, seq)
select stream, 0 from unnest(:streams::text[]) as new (stream) order by stream on conflict do nothing;

-- name: add_events!
-- The acts and their leaves, in one statement; leaves of a stream in the order of their numbers.
with said as (
    select * from unnest(
        :event_ids::uuid[], :ats::timestamptz[], :acts::text[], :actors::text[], :purposes::text[], :verdicts::text[],
        :codes::text[], :case_nos::text[], :ref_nos::text[], :partners::text[], :mids::text[], :subjects::text[],
        :counts::text[], :leaves::bytea[]
    ) with ordinality as s (
        event_id, at, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts, leaf, n)
),
kept as (
    insert into audit_event
        (event_id, at, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts)
    select event_id, at, act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts::jsonb
    from said order by n
)
insert into xlog_pending (event_id, leaf) select event_id, leaf from said order by n;
