-- Cases as COMWEL knows them, and screening decisions.

-- name: load_cases
-- These cases, locked until the unit ends.
select case_no, version, revision, status, branch, facts, facts_sha256, entry, entry_sha256, entry_state, record,
       verdict, reason, merged_into, barred, screened, referred, updated_at, facts_date, facts_seq, entry_date,
       entry_seq, entry_version, unserved, holds_until, judged,
       (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where case_no = any(:case_nos) order by case_no for update;

-- name: look_cases
select case_no, version, revision, status, branch, facts, facts_sha256, entry, entry_sha256, entry_state, record,
       verdict, reason, merged_into, barred, screened, referred, updated_at, facts_date, facts_seq, entry_date,
       entry_seq, entry_version, unserved, holds_until, judged,
       (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where case_no = any(:case_nos);

-- name: records
select case_no, revision, record, (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where case_no = any(:case_nos) and record is not null;

-- name: records_of_legs
select case_no, revision, record, (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where case_no = any(array(select case_no from leg where ref_no = any(:ref_nos))) and record is not null;

-- name: record_as_of^
-- What a case looked like at a moment.
select case_no, revision, record, (select k.content from vault_key k where k.case_no = case_history.case_no)
from case_history where case_no = :case_no and at <= :at order by revision desc limit 1;

-- name: save_cases!
-- A case comes once; in order, so that two writers cannot block each other.
insert into case_record
    (case_no, version, revision, status, branch, facts, facts_sha256, entry, entry_sha256, entry_state, record,
     verdict, reason, merged_into, barred, screened, referred, updated_at, facts_date, facts_seq, entry_date,
     entry_seq, entry_version, unserved, holds_until, judged)
select * from unnest(
    :case_no::text[], :version::integer[], :revision::integer[], :status::text[], :branch::text[], :facts::bytea[],
    :facts_sha256::text[], :entry::bytea[], :entry_sha256::text[], :entry_state::text[], :record::bytea[],
    :verdict::text[], :reason::text[], :merged_into::text[], :barred::boolean[], :screened::integer[],
    :referred::integer[], :updated_at::timestamptz[], :facts_date::date[], :facts_seq::integer[], :entry_date::date[],
    :entry_seq::integer[], :entry_version::integer[], :unserved::text[], :holds_until::timestamptz[],
    :judged::integer[]
) as saved (case_no)
order by case_no
on conflict (case_no) do update set
    version = excluded.version, revision = excluded.revision, status = excluded.status, branch = excluded.branch,
    facts = excluded.facts, facts_sha256 = excluded.facts_sha256, entry = excluded.entry,
    entry_sha256 = excluded.entry_sha256, entry_state = excluded.entry_state, record = excluded.record,
    verdict = excluded.verdict, reason = excluded.reason, merged_into = excluded.merged_into, barred = excluded.barred,
    screened = excluded.screened, referred = excluded.referred, updated_at = excluded.updated_at,
    facts_date = excluded.facts_date, facts_seq = excluded.facts_seq, entry_date = excluded.entry_date,
    entry_seq = excluded.entry_seq, entry_version = excluded.entry_version, unserved = excluded.unserved,
    holds_until = excluded.holds_until, judged = excluded.judged;

-- name: note_cases!
-- What is no revision: what judging says, and which file speaks for the entry.
update case_record c set
    verdict = n.verdict, reason = n.reason, barred = n.barred, referred = n.referred, entry_date = n.entry_date,
    entry_seq = n.entry_seq, entry_version = n.entry_version, unserved = n.unserved, holds_until = n.holds_until,
    judged = n.judged
from unnest(:case_no::text[], :verdict::text[], :reason::text[], :barred::boolean[], :referred::integer[],
            :entry_date::date[], :entry_seq::integer[], :entry_version::integer[], :unserved::text[],
            :holds_until::timestamptz[], :judged::integer[])
     as n (case_no, verdict, reason, barred, referred, entry_date, entry_seq, entry_version, unserved, holds_until,
           judged)
where c.case_no = n.case_no;

-- name: to_judge
-- Live cases that are newer than their judgement, or on whose day something begins or ends.
select case_no, version, revision, status, branch, facts, facts_sha256, entry, entry_sha256, entry_state, record,
       verdict, reason, merged_into, barred, screened, referred, updated_at, facts_date, facts_seq, entry_date,
       entry_seq, entry_version, unserved, holds_until, judged,
       (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where case_no = any(array(
    (select case_no from case_record where status = 'live' and record is not null and judged < revision
     order by case_no limit :limit)
    union
    (select case_no from case_record where status = 'live' and record is not null and holds_until <= :now
     order by holds_until limit :limit)))
order by case_no limit :limit for update;

-- name: unsettled$
-- Cases of which a leg may have to be called back.
select coalesce(array_agg(case_no), '{}') from case_record
where not settled and (barred or version > 1 or unserved <> '');

-- name: settle_cases!
-- Of these cases, as they are, nobody has to be called back: no leg is behind that is open, called back already or not, or
-- that has ended and was not looked at. Looked up case by case. A case that somebody works on is settled later, and so is one that has changed since it was looked
-- at: a leg that was added meanwhile was not seen.
with over as materialized (
    select c.case_no, c.xmin as written_by from case_record c
    where not c.settled and (c.barred or c.version > 1 or c.unserved <> '')
      and c.case_no = any(:case_nos)
      and (select true from leg l where l.case_no = c.case_no
           and (l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
                or l.status <> 'entered-in-error' and l.business is distinct from 'consent-withdrawn'
                   and abs(l.recalled) < c.revision)
           and (c.barred or c.version <> l.case_version or l.partner = any(string_to_array(c.unserved, ' ')))
           limit 1) is null
    order by c.case_no for update of c skip locked
)
update case_record set settled = true from over
where case_record.case_no = over.case_no and case_record.xmin = over.written_by;

-- name: unsettle_cases!
update case_record set settled = false where case_no = any(:case_nos) and settled;

-- name: unsettle_behind!
-- A report may have let a leg be looked at again after its case was settled. A case that somebody works on is unsettled later.
with again as materialized (
    select c.case_no from case_record c
    where c.settled and (c.barred or c.version > 1 or c.unserved <> '')
      and (select true from leg l where l.case_no = c.case_no
           and l.status <> 'entered-in-error' and l.business is distinct from 'consent-withdrawn'
           and abs(l.recalled) < c.revision
           and (c.barred or c.version <> l.case_version or l.partner = any(string_to_array(c.unserved, ' ')))
           limit 1) is not null
    order by c.case_no for update of c skip locked
)
update case_record set settled = false from again where case_record.case_no = again.case_no;

-- name: live_without
-- Live cases with facts that are none of these.
select c.case_no from case_record c
where c.status = 'live' and c.facts is not null
  and not exists (select from unnest(:case_nos::text[]) as n (case_no) where n.case_no = c.case_no)
order by c.case_no;

-- name: add_history!
insert into case_history (case_no, revision, record, change, file_id, at)
select * from unnest(:case_no::text[], :revision::integer[], :record::bytea[], :change::text[], :file_id::uuid[],
                     :at::timestamptz[]);

-- name: unscreened
-- What was destroyed has no record that could be judged, whatever entry comes after that.
select case_no, revision, record, (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where status = 'live' and screened < revision and record is not null
order by case_no limit :limit for update;

-- name: taken_back
-- Cases that were screened and are gone since: who had a seat has none any more.
select case_no from case_record where status <> 'live' and screened > 0 and screened < revision
order by case_no limit :limit for update;

-- name: mark_taken_back!
update case_record set screened = revision where case_no = any(:case_nos) and status <> 'live';

-- name: waiting_cases
-- Live cases on a waiting list, by their latest decision.
select c.case_no, c.revision, c.record, (select k.content from vault_key k where k.case_no = c.case_no)
from standing s join case_record c using (case_no)
where s.result = 'WAITLIST' and c.status = 'live' and c.screened = c.revision and c.record is not null
order by c.case_no for update of c;

-- name: seats_taken
-- How many live cases of each branch are PRIORITY now. Of a case that is back the seat was given on.
select c.branch, count(*)
from standing s join case_record c using (case_no)
where s.result = 'PRIORITY' and s.revision = c.screened and c.status = 'live' and c.branch is not null
  and c.record is not null
group by c.branch;

-- name: seats_held
-- Who of these cases is PRIORITY now, and who in these branches has been it since that day or longer. Since when without
-- a break: another decision is one, and so is a deletion.
select c.case_no, c.branch, s.since
from standing s join case_record c using (case_no)
where s.result = 'PRIORITY' and s.revision = c.screened and c.status = 'live' and c.branch is not null
  and c.record is not null
  and (s.case_no = any(:case_nos) or (c.branch = any(:branches) and s.since <= :until))
order by c.case_no;

-- name: still_as_screened
select case_no, revision, record, (select k.content from vault_key k where k.case_no = case_record.case_no)
from case_record where case_no = any(:case_nos) and screened = revision order by case_no;

-- name: add_screenings!
insert into screening
    (case_no, revision, ruleset, gate, score, contributions, inputs_hash, result, position, capacity, business_date,
     decided_at)
select * from unnest(:case_no::text[], :revision::integer[], :ruleset::text[], :gate::text[], :score::integer[],
                     :contributions::bytea[], :inputs_hash::text[], :result::text[], :position::integer[],
                     :capacity::integer[], :business_date::date[], :decided_at::timestamptz[]);

-- name: in_review
-- Of these cases those that are REVIEW by their latest decision; one that was taken back since is decided anew.
select c.case_no from case_record c
join lateral (
    select x.result, x.revision from screening x where x.case_no = c.case_no order by x.id desc limit 1
) last on last.result = 'REVIEW' and last.revision = c.screened
where c.case_no = any(:case_nos);

-- name: mark_screened!
-- Whoever neither has a seat nor waits for one is not looked at again until there is a new revision.
update case_record c set screened = greatest(c.screened, s.revision), not_to_refer = s.ends
from (select case_no, revision, case when result in ('PRIORITY', 'WAITLIST') then 0 else revision end as ends
      from unnest(:case_nos::text[], :revisions::int[], :results::text[]) as n (case_no, revision, result)) s
where c.case_no = s.case_no and (c.screened < s.revision or c.not_to_refer <> s.ends);

-- name: to_refer
-- PRIORITY cases without a referral, best first; one that is still being called back somewhere waits.
select c.case_no, c.version, c.revision, c.status, c.branch, c.facts, c.facts_sha256, c.entry, c.entry_sha256,
       c.entry_state, c.record, c.verdict, c.reason, c.merged_into, c.barred, c.screened, c.referred, c.updated_at,
       c.facts_date, c.facts_seq, c.entry_date, c.entry_seq, c.entry_version, c.unserved, c.holds_until, c.judged,
       (select k.content from vault_key k where k.case_no = c.case_no)
from case_record c
join lateral (select x.result, x.score from screening x where x.case_no = c.case_no order by x.id desc limit 1) s on true
where c.status = 'live' and c.referred < c.revision and c.verdict = 'ok' and c.screened = c.revision
  and c.not_to_refer <> c.revision and s.result = 'PRIORITY'
  and not exists (select 1 from leg g where g.case_no = c.case_no
                  and (g.case_version = c.version
                       or g.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')))
order by s.score desc, c.case_no limit :limit for update of c;

-- name: mark_referred!
update case_record set referred = revision where case_no = any(:case_nos);

-- name: report_cases
-- One row a case; a quarantined A1 record that is newer than the facts of the case speaks for it, whatever entry came
-- since. Facts without a place are as old as the last change of their case. Nothing leaves about a case whose facts all
-- wait for an earlier version (E-GAP).
with quarantine as (
    select distinct on (q.case_no) q.case_no, q.reason, f.received_at, f.base_date,
           coalesce(f.stands_for, f.file_seq) as file_seq
    from quarantined_record q join handover_file f using (file_id)
    where q.case_no is not null and f.status = 'accepted' and f.way = 'A1'
    order by q.case_no, f.base_date desc, file_seq desc, f.received_at desc, q.record_no
), waiting as (
    select distinct case_no from parked_record
), told as (
    select c.*, coalesce(c.case_no, q.case_no, w.case_no) as told_no, q.reason as why_aside,
           q.case_no is not null and (c.facts is null or case
               when c.facts_date is null then q.received_at > c.updated_at
               else (q.base_date, q.file_seq) >= (c.facts_date, c.facts_seq) end) as aside,
           w.case_no is not null and coalesce(c.status, 'awaiting') = 'awaiting' as waits
    from case_record c full join quarantine q on q.case_no = c.case_no
    full join waiting w on w.case_no = coalesce(c.case_no, q.case_no)
)
select c.told_no as case_no,
       case when c.aside then 'quarantined'
            when c.waits then 'no-referral'
            when c.status = 'awaiting' then 'awaiting'
            when c.status in ('deleted', 'merged') then c.status
            else c.verdict end as record,
       case when c.aside then c.why_aside when c.waits then 'E-GAP' else c.reason end as reason,
       case when c.aside then null else s.gate end as screening,
       s.result, s.score, l.legs
from told c
left join lateral (select x.gate, x.result, x.score from screening x where x.case_no = c.case_no order by x.id desc limit 1) s on true
left join lateral (
    select json_agg(json_build_object('refNo', g.ref_no, 'partner', g.partner, 'status', g.status, 'business', g.business)
                    order by g.ref_no) as legs
    from leg g where g.case_no = c.case_no) l on true
order by 1;
