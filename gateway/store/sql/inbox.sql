-- Messages in: the memory against duplicates.

-- name: use_nonces
-- Returns those that are new.
insert into nonce (partner, nonce, at)
select partner, nonce, at from json_populate_recordset(null::nonce, :rows) order by partner, nonce
on conflict do nothing returning partner, nonce;

-- name: forget_nonces!
delete from nonce where at < :before;

-- name: find_inbox
-- One look into the index for each, also while the table is too young for the planner to know it.
select i.partner, i.mid::text, i.jws_sha256, i.ref_no, i.seq, i.state, i.code, i.at,
       r.jws, r.decision, r.code, r.at
from unnest(:partners::text[], :mids::uuid[]) as asked (partner, mid)
cross join lateral (select * from inbox where partner = asked.partner and mid = asked.mid limit 1) i
left join lateral (
    select * from receipt where partner = asked.partner and direction = 'in' and mid = asked.mid limit 1) r on true;

-- name: write_down
-- Messages and what they change, in one trip: how many of the legs were still as they were read, beside each message that
-- was not there. Whoever has the same message at the same moment waits for us, in the order of the ids.
with new as (
    insert into inbox (partner, mid, jws_sha256, ref_no, seq, state, code, at)
    select partner, mid, jws_sha256, ref_no, seq, state, code, at
    from json_populate_recordset(null::inbox, :heard) order by partner, mid
    on conflict do nothing returning partner, mid, inbox_seq
),
kept as (
    insert into message (partner, direction, mid, type, case_no, ref_no, seq, content_type, body, jws, body_sha256,
                         map_pin, map_digest, fields, fhir, at, head)
    select m.partner, m.direction, m.mid, m.type, m.case_no, m.ref_no, m.seq, m.content_type, m.body, m.jws,
           m.body_sha256, m.map_pin, m.map_digest, m.fields, m.fhir, m.at, m.head
    from json_populate_recordset(null::message, :messages) m join new using (partner, mid)
),
saved as (
    update leg set state = r.state, status = r.status, business = r.business, filler_no = r.filler_no,
           answered = r.answered, in_seq = r.in_seq, version = leg.version + 1, updated_at = r.updated_at
    from json_populate_recordset(null::leg, :legs) r
    where leg.ref_no = r.ref_no and leg.version = r.version returning leg.ref_no
),
reported as (
    insert into outcome_fact
        (fact_id, ref_no, seq, mid, happened_on, content, evidence, entered_in_error, superseded_by, fhir, at)
    select fact_id, ref_no, seq, mid, happened_on, content, evidence, entered_in_error, superseded_by, fhir, at
    from json_populate_recordset(null::outcome_fact, :facts)
),
awaited as (
    insert into retention_check (ref_no, milestone, base_kind, base_date, due_on, state, result)
    select ref_no, milestone, base_kind, base_date, due_on, state, result
    from json_populate_recordset(null::retention_check, :checks)
    on conflict (ref_no, milestone) do update set
        base_kind = excluded.base_kind, base_date = excluded.base_date, due_on = excluded.due_on,
        state = excluded.state, result = excluded.result
)
select s.many, new.partner, new.mid::text, new.inbox_seq
from (select count(*) as many from saved) s left join new on true;

-- name: add_receipts!
-- Receipts, ours (in) in the trip of the commit; the first one for a message stays.
insert into receipt (partner, direction, mid, jws, decision, code, at)
select partner, direction, mid, jws, decision, code, at from json_populate_recordset(null::receipt, :receipts)
on conflict do nothing;

-- name: settle!
update inbox set state = :state, code = :code where partner = :partner and mid = :mid;

-- name: held
-- Which messages of these legs are held, in the partner's order; what they say is read when their turn comes.
select ref_no, seq, partner, mid::text from inbox
where ref_no = any(:ref_nos) and state = 'held' order by seq, inbox_seq;

-- name: held_messages
select m.partner, m.direction, m.mid::text, m.type, m.case_no, m.ref_no, m.seq, m.content_type, m.body, m.jws,
       m.body_sha256, m.map_pin, m.map_digest, m.fields, m.fhir, m.at, m.head,
       (select k.content from vault_key k where k.case_no = m.case_no)
from unnest(:partners::text[], :mids::uuid[]) as asked (partner, mid)
cross join lateral (
    select * from message where partner = asked.partner and direction = 'in' and mid = asked.mid limit 1) m;

-- name: refuse_held
-- What is held on a leg whose consent was withdrawn is never heard: nor would be what it waits for.
update inbox i set state = 'refused', code = :code from leg l
where i.state = 'held' and l.ref_no = i.ref_no and l.business = 'consent-withdrawn'
returning l.case_no, i.ref_no, i.partner, i.mid::text;

-- name: refuse_destroyed!
-- What was held when its content was destroyed with its case is never heard: there is nothing left to hear.
update inbox i set state = 'refused', code = :code
where i.state = 'held' and not exists (select from message m where m.partner = i.partner and m.direction = 'in'
                                        and m.mid = i.mid and m.body <> '');

-- name: missing
-- Held messages that came before a moment and that nobody has been asked to look at.
select l.case_no, i.ref_no, i.partner, i.mid::text
from inbox i left join leg l using (ref_no)
where i.state = 'held' and i.at < :before
  and not exists (select 1 from work_item w where w.kind = :kind and w.mid = i.mid and w.done_at is null)
order by i.at limit :limit;

-- name: end_missing
-- What is not held any more needs nobody to look at it.
update work_item w set done_at = :at
where w.kind = :kind and w.done_at is null
  and not exists (select 1 from inbox i where i.partner = w.partner and i.mid = w.mid and i.state = 'held')
returning w.mid::text;

-- name: get_receipt^
select partner, direction, mid::text, jws, decision, code, at
from receipt where partner = :partner and direction = :direction and mid = :mid;
