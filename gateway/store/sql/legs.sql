-- Referrals and their legs.

-- name: next_numbers$
-- Take `how_many` referral numbers of a day; returns the last one taken.
insert into number_series (day, last) values (:day, :how_many)
on conflict (day) do update set last = number_series.last + excluded.last
returning last;

-- name: add_referrals!
insert into referral (request_no, case_no, case_version, status, authored_at, authored_on)
select * from unnest(:request_no::text[], :case_no::text[], :case_version::integer[], :status::text[],
                     :authored_at::timestamptz[], :authored_on::date[]);

-- name: add_legs!
-- The services of a leg come as lines of one text.
insert into leg
    (ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services, legal_basis,
     consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at)
select n.ref_no, n.request_no, n.case_no, n.case_version, n.partner, n.person_id, n.state, n.status, n.business,
       string_to_array(n.services, chr(10)), n.legal_basis, n.consent_no, n.filler_no, n.answered, n.in_seq,
       n.first_answer_due, n.result_due, n.tracked, n.version, n.updated_at
from unnest(:ref_no::text[], :request_no::text[], :case_no::text[], :case_version::integer[], :partner::text[],
            :person_id::text[], :state::text[], :status::text[], :business::text[], :services::text[],
            :legal_basis::text[], :consent_no::text[], :filler_no::text[], :answered::boolean[], :in_seq::integer[],
            :first_answer_due::date[], :result_due::date[], :tracked::integer[], :version::integer[],
            :updated_at::timestamptz[])
     as n (ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
           legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version,
           updated_at);

-- name: legs_of_cases
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where case_no = any(:case_nos) order by ref_no;

-- name: legs_by_number
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where ref_no = any(:ref_nos) order by ref_no for update;

-- name: cases_of_legs
select ref_no, case_no from leg where ref_no = any(:ref_nos);

-- name: untracked
-- Legs that changed since their outcome was last judged, or on whose day time alone may make it another.
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where ref_no = any(array(
    (select ref_no from leg where tracked < version and updated_at <= :settled order by ref_no limit :limit)
    union
    (select ref_no from leg where tracked = version and judge_on <= :today order by judge_on limit :limit)))
order by ref_no limit :limit for update skip locked;

-- name: mark_tracked!
update leg set tracked = greatest(leg.tracked, r.version), judge_on = r.judge_on
from json_populate_recordset(null::leg, :rows) r where leg.ref_no = r.ref_no;

-- name: to_withdraw
-- Legs whose case may no longer be served, or not by their partner; those that were called back, or looked at in vain, are
-- when their case has changed again. To look in vain is not to call back: who was asked to stop, and works on, is asked
-- again if there was a change meanwhile. Legs are looked up case by case: to compare all with all takes seconds where tables are young, and
-- the planner knows nothing of them. What is true of them is asked once more when they are locked. Settled cases have
-- none: all that may not be served are asked about ten times a second, and become more with every year.
with behind as materialized (
    select l.ref_no from case_record c
    cross join lateral (select * from leg where leg.case_no = c.case_no offset 0) l
    where not c.settled and (c.barred or c.version > 1 or c.unserved <> '')
      and (c.barred or c.version <> l.case_version
           or (c.judged = c.revision and l.partner = any(string_to_array(c.unserved, ' '))))
      and l.status <> 'entered-in-error' and l.business is distinct from 'consent-withdrawn'
      and (case when l.status in ('completed', 'failed', 'rejected', 'cancelled') or l.business = 'cancellation-requested'
           then abs(l.recalled) else l.recalled end) < c.revision
    order by l.ref_no limit :limit
)
select l.ref_no, l.request_no, l.case_no, l.case_version, l.partner, l.person_id, l.state, l.status, l.business, l.services, l.legal_basis, l.consent_no, l.filler_no, l.answered, l.in_seq, l.first_answer_due, l.result_due, l.tracked, l.version, l.updated_at,
       c.case_no, c.version, c.revision, c.status, c.branch, c.facts, c.facts_sha256, c.entry, c.entry_sha256, c.entry_state, c.record, c.verdict, c.reason, c.merged_into, c.barred, c.screened, c.referred, c.updated_at, c.facts_date, c.facts_seq, c.entry_date, c.entry_seq, c.entry_version, c.unserved, c.holds_until, c.judged,
       (select k.content from vault_key k where k.case_no = c.case_no)
from leg l join case_record c on c.case_no = l.case_no
where l.ref_no = any(array(select ref_no from behind))
  and (c.barred or c.version <> l.case_version
       or (c.judged = c.revision and l.partner = any(string_to_array(c.unserved, ' '))))
  and l.status <> 'entered-in-error' and l.business is distinct from 'consent-withdrawn'
  and (case when l.status in ('completed', 'failed', 'rejected', 'cancelled') or l.business = 'cancellation-requested'
       then abs(l.recalled) else l.recalled end) < c.revision
order by l.ref_no for update of l;

-- name: mark_recalled!
-- Locked in the order of their numbers first, in which everybody locks.
with mine as materialized (
    select ref_no from leg where ref_no = any(:ref_nos) order by ref_no for update
)
update leg set recalled = r.recalled from json_populate_recordset(null::leg, :rows) r join mine using (ref_no)
where leg.ref_no = r.ref_no and leg.recalled <> r.recalled;

-- name: end_requests
-- Returns those that had another status.
update referral set status = r.status from json_populate_recordset(null::referral, :rows) r
where referral.request_no = any(:request_nos) and referral.request_no = r.request_no and referral.status <> r.status
returning referral.request_no;
