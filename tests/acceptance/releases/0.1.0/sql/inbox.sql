-- Messages in: the memory against duplicates.

-- name: use_nonce!
insert into nonce (partner, nonce, at) values (:partner, :nonce, :at) on conflict do nothing;

-- name: forget_nonces!
delete from nonce where at < :before;

-- name: find_inbox^
select i.partner, i.mid::text, i.jws_sha256, i.ref_no, i.seq, i.state, i.code, i.at,
       r.jws, r.decision, r.code, r.at
from inbox i left join receipt r on r.partner = i.partner and r.direction = 'in' and r.mid = i.mid
where i.partner = :partner and i.mid = :mid;

-- name: add_inbox$
-- The memory and the message itself in one go; nothing and null when the id is known already.
with remembered as (
    insert into inbox (partner, mid, jws_sha256, ref_no, seq, state, code, at)
    values (:partner, :mid, :jws_sha256, :ref_no, :seq, :state, :code, :at)
    on conflict do nothing returning inbox_seq
), stored as (
    insert into message (partner, direction, mid, type, case_no, ref_no, seq, content_type, body, jws, body_sha256,
                         map_pin, map_digest, fields, fhir, at)
    select :partner, 'in', :mid::uuid, :type, :case_no, :leg, :place::integer, :content_type, :body::bytea, :jws,
           :body_sha256::bytea, :map_pin, :map_digest, :fields::text[], :fhir::bytea, :at::timestamptz
    where exists (select 1 from remembered)
)
select inbox_seq from remembered;

-- name: settle!
update inbox set state = :state, code = :code where partner = :partner and mid = :mid;

-- name: held
-- Held messages of a leg in the partner's order.
select i.seq, m.partner, m.direction, m.mid::text, m.type, m.case_no, m.ref_no, m.seq, m.content_type, m.body, m.jws,
       m.body_sha256, m.map_pin, m.map_digest, m.fields, m.fhir, m.at
from inbox i join message m on m.partner = i.partner and m.direction = 'in' and m.mid = i.mid
where i.ref_no = :ref_no and i.state = 'held' order by i.seq;

-- name: keep_receipt*!
insert into receipt (partner, direction, mid, jws, decision, code, at)
values (:partner, :direction, :mid, :jws, :decision, :code, :at) on conflict do nothing;

-- name: get_receipt^
select partner, direction, mid::text, jws, decision, code, at
from receipt where direction = 'in' and mid = :mid limit 1;
