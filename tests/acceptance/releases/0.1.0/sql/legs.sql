-- Referrals and their legs.

-- name: next_numbers$
-- Take `how_many` referral numbers of a day; returns the last one taken.
insert into number_series (day, last) values (:day, :how_many)
on conflict (day) do update set last = number_series.last + excluded.last
returning last;

-- name: get_leg^
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where ref_no = :ref_no for update;

-- name: legs_of_case
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where case_no = :case_no order by ref_no;

-- name: legs_by_number
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where ref_no = any(:ref_nos) order by ref_no for update;

-- name: untracked
-- Legs that changed since their outcome was last judged.
select ref_no, request_no, case_no, case_version, partner, person_id, state, status, business, services,
       legal_basis, consent_no, filler_no, answered, in_seq, first_answer_due, result_due, tracked, version, updated_at
from leg where tracked < version and updated_at <= :settled order by ref_no limit :limit for update skip locked;

-- name: mark_tracked*!
update leg set tracked = :version where ref_no = :ref_no and tracked < :version;

-- name: to_withdraw
-- Open legs whose case may no longer be served.
select l.ref_no, l.request_no, l.case_no, l.case_version, l.partner, l.person_id, l.state, l.status, l.business, l.services, l.legal_basis, l.consent_no, l.filler_no, l.answered, l.in_seq, l.first_answer_due, l.result_due, l.tracked, l.version, l.updated_at,
       c.case_no, c.version, c.revision, c.status, c.branch, c.facts, c.facts_sha256, c.entry, c.entry_sha256, c.entry_state, c.record, c.verdict, c.reason, c.merged_into, c.barred, c.screened, c.referred, c.updated_at
from case_record c join leg l on l.case_no = c.case_no
where (c.barred or c.version > 1) and (c.barred or c.version <> l.case_version)
  and l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
  and (l.business is null or l.business <> 'cancellation-requested')
order by l.ref_no limit :limit for update of l;

-- name: save_leg*!
update leg set state = :state, status = :status, business = :business, filler_no = :filler_no,
       answered = :answered, in_seq = :in_seq, version = version + 1, updated_at = :updated_at
where ref_no = :ref_no and version = :version;

-- name: set_request_status!
update referral set status = :status where request_no = :request_no;
