-- The first schema. Forward only; every table and column carries its comment.
-- Rules: personal data lives in bytea or in columns named for it; times are timestamptz (UTC); dates are business dates;
-- money is bigint KRW; message bodies are bytea, never jsonb, because signatures are over exact bytes.

create table handover_file (
    file_id      uuid primary key,
    way          text not null check (way in ('A1', 'A6')),
    name         text not null,
    base_date    date not null,
    file_seq     integer not null,
    mode         text not null,
    sha256       text not null check (length(sha256) = 64),
    status       text not null check (status in ('accepted', 'replaced', 'rejected')),
    reason       text,
    records      integer not null,
    quarantined  integer not null,
    received_at  timestamptz not null
);
create unique index handover_file_once on handover_file (way, sha256) where status = 'accepted';
create index handover_file_order on handover_file (way, base_date, file_seq);
comment on table handover_file is 'one file handed over by COMWEL, accepted or rejected as a whole';
comment on column handover_file.file_id is 'the gateway''s own id of the file';
comment on column handover_file.way is 'A1 nightly fixed-width batch, A6 coordinators'' entries';
comment on column handover_file.name is 'file name as handed over';
comment on column handover_file.base_date is 'baseDt: the business date of the file';
comment on column handover_file.file_seq is 'fileSeq, from 1';
comment on column handover_file.mode is 'F full, D delta, R resend; - where the way has no modes';
comment on column handover_file.sha256 is 'SHA-256 of the exact bytes, hex';
comment on column handover_file.status is 'accepted, replaced by a resend, or rejected whole';
comment on column handover_file.reason is 'E-code of a rejection';
comment on column handover_file.records is 'records in the file';
comment on column handover_file.quarantined is 'records put aside';
comment on column handover_file.received_at is 'when the gateway decided';

create table quarantined_record (
    file_id    uuid not null references handover_file,
    record_no  integer not null,
    case_no    text,
    reason     text not null,
    field      text,
    raw        bytea not null,
    sha256     text not null,
    primary key (file_id, record_no)
);
create index quarantined_record_case on quarantined_record (case_no);
comment on table quarantined_record is 'a record put aside alone, with its bytes, while its file went on';
comment on column quarantined_record.file_id is 'the file it came in';
comment on column quarantined_record.record_no is 'its place in the file, from 1';
comment on column quarantined_record.case_no is 'case number where readable';
comment on column quarantined_record.reason is 'first E-code found';
comment on column quarantined_record.field is 'field at fault';
comment on column quarantined_record.raw is 'the bytes as received; digits of a resident registration number replaced by *';
comment on column quarantined_record.sha256 is 'SHA-256 of the bytes as received, hex';

create table case_record (
    case_no       text primary key,
    version       integer not null,
    revision      integer not null,
    status        text not null check (status in ('live', 'deleted', 'merged', 'awaiting')),
    branch        text,
    facts         bytea,
    facts_sha256  text,
    entry         bytea,
    entry_sha256  text,
    entry_state   text not null check (entry_state in ('missing', 'present', 'held-rrn')),
    record        bytea,
    verdict       text not null check (verdict in ('ok', 'no-referral', 'quarantined')),
    reason        text,
    merged_into   text,
    barred        boolean not null default false,
    screened      integer not null default 0,
    referred      integer not null default 0,
    updated_at    timestamptz not null
);
create index case_record_unscreened on case_record (case_no) where status = 'live' and screened < revision;
create index case_record_barred on case_record (case_no) where barred or version > 1;
comment on table case_record is 'what COMWEL knows about one case now: facts (A1), entry (A6) and the two merged';
comment on column case_record.case_no is '원부번호, 14 digits';
comment on column case_record.version is '차수: counts re-opened care, from 1';
comment on column case_record.revision is 'counts every change the gateway took in, from 1';
comment on column case_record.status is 'live, deleted (D, X), merged (M), or awaiting the other hand-over';
comment on column case_record.branch is '관할 지사, 4 digits';
comment on column case_record.facts is 'facts from A1, JSON bytes';
comment on column case_record.facts_sha256 is 'digest of the A1 row, so that the same row changes nothing';
comment on column case_record.entry is 'the coordinator''s entry from A6, JSON bytes, free of resident registration numbers';
comment on column case_record.entry_sha256 is 'digest of the A6 line';
comment on column case_record.entry_state is 'missing, present, or held-rrn: the entry as handed over held a resident registration number';
comment on column case_record.record is 'the canonical case record (urn:comwel:schema:case), JSON bytes';
comment on column case_record.verdict is 'may anything about this case leave: ok, no-referral, quarantined';
comment on column case_record.reason is 'E-code of the verdict';
comment on column case_record.merged_into is 'case that took this one over (M)';
comment on column case_record.barred is 'nothing about it may leave any more: no permission, not live, or the worker has died';
comment on column case_record.screened is 'revision last screened';
comment on column case_record.referred is 'revision for which it was last decided whether to refer';
comment on column case_record.updated_at is 'last change';

create table case_history (
    case_no   text not null,
    revision  integer not null,
    record    bytea,
    change    text not null,
    file_id   uuid,
    at        timestamptz not null,
    primary key (case_no, revision)
);
-- Not compressed: pglz took two thirds of the time of a night's writing and saved next to nothing on records of 1–4 kB.
alter table case_record alter column facts set storage external, alter column entry set storage external,
      alter column record set storage external;
alter table case_history alter column record set storage external;
comment on table case_history is 'every revision of a case record, append only: what a case looked like then';
comment on column case_history.case_no is 'case';
comment on column case_history.revision is 'revision';
comment on column case_history.record is 'canonical record of that revision, JSON bytes';
comment on column case_history.change is 'I, U, D, M, X or E (entry)';
comment on column case_history.file_id is 'file that brought the change';
comment on column case_history.at is 'when';

create table parked_record (
    case_no       text not null,
    version       integer not null,
    change        text not null,
    old_case_no   text,
    facts         bytea not null,
    facts_sha256  text not null,
    file_id       uuid not null,
    record_no     integer not null,
    parked_at     timestamptz not null,
    primary key (case_no, version, facts_sha256)
);
comment on table parked_record is 'a version that came before its turn and waits (reliability: out-of-order rows wait)';
comment on column parked_record.case_no is 'case';
comment on column parked_record.version is 'version that came too early';
comment on column parked_record.change is 'I, U, D, M or X';
comment on column parked_record.old_case_no is 'case that a merge takes over';
comment on column parked_record.facts is 'facts as read, JSON bytes';
comment on column parked_record.facts_sha256 is 'digest of the A1 row';
comment on column parked_record.file_id is 'file it came in';
comment on column parked_record.record_no is 'its place there';
comment on column parked_record.parked_at is 'since when it waits';

create table screening (
    id             bigint generated always as identity primary key,
    case_no        text not null,
    revision       integer not null,
    ruleset        text not null,
    gate           text not null,
    score          integer not null,
    contributions  bytea not null,
    inputs_hash    text not null,
    result         text not null,
    position       integer,
    capacity       integer,
    business_date  date not null,
    decided_at     timestamptz not null
);
create index screening_latest on screening (case_no, id desc);
comment on table screening is 'every screening decision with its explanation, append only (PIPA 37-2: explainable, overridable)';
comment on column screening.id is 'order of decisions';
comment on column screening.case_no is 'case';
comment on column screening.revision is 'revision of the record that was judged';
comment on column screening.ruleset is 'rule set id and version';
comment on column screening.gate is 'CANDIDATE, STATUTORY, REVIEW, GENERAL or EXCLUDED, before capacity';
comment on column screening.score is 'sum of contributions';
comment on column screening.contributions is 'criterion by criterion, JSON bytes';
comment on column screening.inputs_hash is 'SHA-256 of the inputs used';
comment on column screening.result is 'PRIORITY, WAITLIST, GENERAL, EXCLUDED, REVIEW or STATUTORY, after capacity';
comment on column screening.position is 'place on the waiting list, from 1';
comment on column screening.capacity is 'capacity of the branch when decided';
comment on column screening.business_date is 'business date of the decision';
comment on column screening.decided_at is 'protocol time of the decision';

create table number_series (
    day   date primary key,
    last  integer not null
);
comment on table number_series is 'last referral number given out per business day';
comment on column number_series.day is 'business day';
comment on column number_series.last is 'last number';

create table referral (
    request_no    text primary key,
    case_no       text not null,
    case_version  integer not null,
    status        text not null,
    authored_at   timestamptz not null,
    authored_on   date not null
);
create index referral_case on referral (case_no);
comment on table referral is 'the request (ServiceRequest): COMWEL asks on behalf of one worker';
comment on column referral.request_no is 'referral number of the request';
comment on column referral.case_no is 'case';
comment on column referral.case_version is 'version of the case';
comment on column referral.status is 'ServiceRequest.status';
comment on column referral.authored_at is 'protocol time';
comment on column referral.authored_on is 'business date';

create table leg (
    ref_no            text primary key,
    request_no        text not null references referral,
    case_no           text not null,
    case_version      integer not null,
    partner           text not null,
    person_id         text not null,
    state             text not null,
    status            text not null,
    business          text,
    services          text[] not null,
    legal_basis       text not null,
    consent_no        text,
    filler_no         text,
    answered          boolean not null default false,
    in_seq            integer not null default 0,
    first_answer_due  date not null,
    result_due        date not null,
    tracked           integer not null default 0,
    version           integer not null default 1,
    updated_at        timestamptz not null
);
create index leg_case on leg (case_no);
create index leg_untracked on leg (ref_no) where tracked < version;
create unique index leg_one_open on leg (partner, case_no)
    where status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error');
comment on table leg is 'the hand-over of a referral to one partner (FHIR Task)';
comment on column leg.ref_no is 'referral number of this leg (PLAC identifier); no two partners share one';
comment on column leg.request_no is 'the request it serves';
comment on column leg.case_no is 'case';
comment on column leg.case_version is 'version of the case';
comment on column leg.partner is 'owner';
comment on column leg.person_id is 'pairwise person id for this partner';
comment on column leg.state is 'status, business status and what they were laid over, as one line';
comment on column leg.status is 'FHIR Task.status, word for word';
comment on column leg.business is 'businessStatus';
comment on column leg.services is 'services asked for, in the partner''s codes';
comment on column leg.legal_basis is 'LB-id under which it was sent';
comment on column leg.consent_no is 'consent it rests on';
comment on column leg.filler_no is 'the partner''s own number (FILL identifier)';
comment on column leg.in_seq is 'last inbound seq processed';
comment on column leg.first_answer_due is 'business date';
comment on column leg.result_due is 'business date';
comment on column leg.answered is 'the partner''s open question was answered';
comment on column leg.tracked is 'version up to which the outcome was judged';
comment on column leg.version is 'counts changes; guards against lost updates';
comment on column leg.updated_at is 'last change';

create table message (
    partner      text not null,
    direction    text not null check (direction in ('out', 'in')),
    mid          uuid not null,
    type         text not null,
    case_no      text,
    ref_no       text,
    seq          integer not null,
    content_type text not null,
    body         bytea not null,
    jws          text not null,
    body_sha256  bytea not null,
    map_pin      text,
    map_digest   text,
    fields       text[] not null,
    fhir         bytea,
    at           timestamptz not null,
    primary key (partner, direction, mid)
);
create index message_case on message (case_no);
create index message_mid on message (mid);
create unique index message_out_seq on message (partner, case_no, seq) where direction = 'out';
comment on table message is 'one message in or out with its proof: what auditors call an exchange';
comment on column message.partner is 'the other side';
comment on column message.direction is 'out or in, seen from the gateway';
comment on column message.mid is 'message id, the same over all attempts';
comment on column message.type is 'message type of the manifest';
comment on column message.case_no is 'case; null while an inbound message is not attributed';
comment on column message.ref_no is 'leg';
comment on column message.seq is 'seq in the manifest: order per partner and case';
comment on column message.content_type is 'media type of the body';
comment on column message.body is 'exact bytes';
comment on column message.jws is 'compact JWS over the manifest of digests';
comment on column message.body_sha256 is 'SHA-256 of the body';
comment on column message.map_pin is 'map id and version used';
comment on column message.map_digest is 'digest of everything that decided the mapping';
comment on column message.fields is 'case fields that left with it, for the disclosure ledger (PIPA 35) and the check at sending';
comment on column message.fhir is 'our own record of the referral: a FHIR R4 Bundle, exact bytes';
comment on column message.at is 'protocol time of sealing or arrival';

create table delivery (
    partner      text not null,
    mid          uuid not null,
    case_no      text not null,
    seq          integer not null,
    state        text not null check (state in ('ready', 'leased', 'delivered', 'blocked', 'dead')),
    attempts     integer not null default 0,
    next_at      timestamptz not null,
    first_at     timestamptz not null,
    lease_owner  text,
    lease_until  timestamptz,
    fence        integer not null default 0,
    error_class  text,
    primary key (partner, mid)
);
create index delivery_due on delivery (partner, next_at) where state in ('ready', 'leased');
create index delivery_line on delivery (partner, case_no, seq) where state in ('ready', 'leased');
comment on table delivery is 'the outbox: bringing one message across';
comment on column delivery.partner is 'to whom';
comment on column delivery.mid is 'which message';
comment on column delivery.case_no is 'case, for order per (partner, case)';
comment on column delivery.seq is 'order within (partner, case)';
comment on column delivery.state is 'ready, leased, delivered, blocked (refused by a rule, here or there), dead (given up)';
comment on column delivery.attempts is 'attempts that ended';
comment on column delivery.next_at is 'not before';
comment on column delivery.first_at is 'when the message was queued';
comment on column delivery.lease_owner is 'worker that holds it';
comment on column delivery.lease_until is 'until when, database clock';
comment on column delivery.fence is 'grows with every claim; a finish with an older fence changes nothing';
comment on column delivery.error_class is 'class of the last failure';

create table attempt (
    partner      text not null,
    mid          uuid not null,
    fence        integer not null,
    phase        text not null,
    http_status  integer,
    result       text,
    error_class  text,
    began_at     timestamptz not null,
    ended_at     timestamptz not null,
    primary key (partner, mid, fence)
);
comment on table attempt is 'one try to bring a message across';
comment on column attempt.partner is 'to whom';
comment on column attempt.mid is 'which message';
comment on column attempt.fence is 'under which claim';
comment on column attempt.phase is 'before, attempt or after: how far it came';
comment on column attempt.http_status is 'HTTP status, if any';
comment on column attempt.result is 'what the partner''s own words meant';
comment on column attempt.error_class is 'class of the failure, if any';
comment on column attempt.began_at is 'begin';
comment on column attempt.ended_at is 'end';

create table receipt (
    partner    text not null,
    direction  text not null check (direction in ('out', 'in')),
    mid        uuid not null,
    jws        text not null,
    decision   text not null,
    code       text,
    at         timestamptz not null,
    primary key (partner, direction, mid)
);
create index receipt_mid on receipt (mid);
comment on table receipt is 'signed receipts: the partner''s for our messages (out), ours for theirs (in)';
comment on column receipt.partner is 'the other side';
comment on column receipt.direction is 'direction of the message it acknowledges';
comment on column receipt.mid is 'message';
comment on column receipt.jws is 'compact JWS';
comment on column receipt.decision is 'accepted, duplicate or rejected';
comment on column receipt.code is 'reason code of a rejection';
comment on column receipt.at is 'when stored';

create table inbox (
    partner     text not null,
    mid         uuid not null,
    inbox_seq   bigint generated always as identity,
    jws_sha256  bytea not null,
    ref_no      text,
    seq         integer,
    state       text not null check (state in ('applied', 'held', 'stale', 'refused', 'quarantined')),
    code        text,
    at          timestamptz not null,
    primary key (partner, mid)
);
create index inbox_held on inbox (ref_no, seq) where state = 'held';
comment on table inbox is 'every inbound message once, for the life of the log: the memory against duplicates';
comment on column inbox.partner is 'from whom';
comment on column inbox.mid is 'message';
comment on column inbox.inbox_seq is 'order of arrival';
comment on column inbox.jws_sha256 is 'digest of the manifest JWS: same id with other bytes is refused';
comment on column inbox.ref_no is 'leg';
comment on column inbox.seq is 'the partner''s seq for this leg';
comment on column inbox.state is 'applied, held until a gap fills, stale, refused, or quarantined';
comment on column inbox.code is 'reason code';
comment on column inbox.at is 'arrival';

create table nonce (
    partner  text not null,
    nonce    text not null,
    at       timestamptz not null,
    primary key (partner, nonce)
);
create index nonce_at on nonce (at);
comment on table nonce is 'nonces of signed requests, kept 15 minutes (replay)';
comment on column nonce.partner is 'who used it';
comment on column nonce.nonce is 'the nonce';
comment on column nonce.at is 'when';

create table outcome_fact (
    fact_id           uuid primary key,
    ref_no            text not null references leg,
    seq               integer not null,
    mid               uuid not null,
    happened_on       date not null,
    content           bytea not null,
    evidence          text,
    entered_in_error  boolean not null default false,
    superseded_by     uuid,
    fhir              bytea not null,
    at                timestamptz not null
);
create index outcome_fact_leg on outcome_fact (ref_no, seq);
comment on table outcome_fact is 'what was reported, never overwritten; a correction supersedes';
comment on column outcome_fact.fact_id is 'id';
comment on column outcome_fact.ref_no is 'leg';
comment on column outcome_fact.seq is 'the partner''s seq';
comment on column outcome_fact.mid is 'message that brought it';
comment on column outcome_fact.happened_on is 'business date';
comment on column outcome_fact.content is 'canonical outcome (urn:comwel:schema:outcome), JSON bytes';
comment on column outcome_fact.evidence is 'E1 registry > E2 employer > E3 partner > E4 worker';
comment on column outcome_fact.entered_in_error is 'withdrawn by its author';
comment on column outcome_fact.superseded_by is 'the fact that replaces it';
comment on column outcome_fact.fhir is 'the outcome as a FHIR R4 Bundle, exact bytes';
comment on column outcome_fact.at is 'stored';

create table retention_check (
    ref_no      text not null references leg,
    milestone   text not null check (milestone in ('P1M', 'P3M', 'P6M', 'P12M')),
    base_kind   text not null,
    base_date   date not null,
    due_on      date not null,
    state       text not null check (state in ('scheduled', 'due', 'completed', 'failed', 'cancelled')),
    result      text,
    primary key (ref_no, milestone)
);
create index retention_check_due on retention_check (due_on) where state = 'scheduled';
comment on table retention_check is 'the follow-up of a placement at 1, 3, 6 and 12 months';
comment on column retention_check.ref_no is 'placing leg';
comment on column retention_check.milestone is 'calendar months from the base date';
comment on column retention_check.base_kind is 'care-end or rtw-date (영 70조④)';
comment on column retention_check.base_date is 'base date';
comment on column retention_check.due_on is 'business date';
comment on column retention_check.state is 'scheduled, due, completed, failed (unverifiable) or cancelled';
comment on column retention_check.result is 'retention-result code';

create table rtw_update (
    ref_no     text not null references leg,
    update_no  integer not null,
    case_no    text not null,
    content    bytea not null,
    file_date  date,
    file_seq   integer,
    at         timestamptz not null,
    primary key (ref_no, update_no)
);
create index rtw_update_unwritten on rtw_update (at) where file_seq is null;
comment on table rtw_update is 'the return-to-work update of a leg, to be written back to COMWEL';
comment on column rtw_update.ref_no is 'leg';
comment on column rtw_update.update_no is 'counts updates of this leg, from 1';
comment on column rtw_update.case_no is 'case';
comment on column rtw_update.content is 'urn:comwel:schema:rtw-update, JSON bytes';
comment on column rtw_update.file_date is 'base date of the file that carries it';
comment on column rtw_update.file_seq is 'number of the file that carries it; null until then';
comment on column rtw_update.at is 'made';

create table rtw_file (
    file_date  date not null,
    file_seq   integer not null,
    sha256     text,
    written_at timestamptz,
    primary key (file_date, file_seq)
);
comment on table rtw_file is 'write-back files; allocated first, written after commit, rewritten identically after a crash';
comment on column rtw_file.file_date is 'base date';
comment on column rtw_file.file_seq is 'number, from 1';
comment on column rtw_file.sha256 is 'digest of the bytes written';
comment on column rtw_file.written_at is 'null until the file is safely on disk';

create table work_item (
    id       bigint generated always as identity primary key,
    kind     text not null,
    code     text,
    case_no  text,
    ref_no   text,
    partner  text,
    mid      uuid,
    at       timestamptz not null,
    done_at  timestamptz
);
comment on table work_item is 'something a person must look at';
comment on column work_item.id is 'id';
comment on column work_item.kind is 'what for, e.g. inbound-refused, delivery-blocked, re-refer';
comment on column work_item.code is 'reason code';
comment on column work_item.case_no is 'case';
comment on column work_item.ref_no is 'leg';
comment on column work_item.partner is 'partner';
comment on column work_item.mid is 'message';
comment on column work_item.at is 'since when';
comment on column work_item.done_at is 'when somebody was done with it';

create table partner_key (
    owner       text not null,
    kid         text not null,
    jwk         jsonb not null,
    not_before  timestamptz not null,
    not_after   timestamptz not null,
    revoked_at  timestamptz,
    primary key (owner, kid)
);
comment on table partner_key is 'public keys with their validity; private keys are files, never rows';
comment on column partner_key.owner is 'comwel or a partner';
comment on column partner_key.kid is 'key id, unique per owner';
comment on column partner_key.jwk is 'public JWK (RFC 7517)';
comment on column partner_key.not_before is 'valid from';
comment on column partner_key.not_after is 'valid until';
comment on column partner_key.revoked_at is 'revoked; nothing signed after this is accepted';

create table audit_event (
    id        bigint generated always as identity primary key,
    at        timestamptz not null,
    act       text not null,
    actor     text not null,
    purpose   text not null,
    verdict   text not null check (verdict in ('done', 'refused')),
    code      text,
    case_no   text,
    ref_no    text,
    partner   text,
    mid       text,
    subject   text,
    counts    jsonb
);
create index audit_event_case on audit_event (case_no) where case_no is not null;
comment on table audit_event is 'every act, done or refused; append only';
comment on column audit_event.id is 'order';
comment on column audit_event.at is 'when';
comment on column audit_event.act is 'stable verb';
comment on column audit_event.actor is 'who';
comment on column audit_event.purpose is 'purpose code';
comment on column audit_event.verdict is 'done or refused';
comment on column audit_event.code is 'reason code of a refusal';
comment on column audit_event.case_no is 'case';
comment on column audit_event.ref_no is 'leg';
comment on column audit_event.partner is 'partner';
comment on column audit_event.mid is 'message';
comment on column audit_event.subject is 'file, map or setting';
comment on column audit_event.counts is 'numbers for acts on many rows';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'table % is append only', tg_table_name;
end $$;
comment on function refuse_change is 'guard-rail for append-only tables';
create trigger audit_event_append_only before update or delete on audit_event for each row execute function refuse_change();
create trigger case_history_append_only before update or delete on case_history for each row execute function refuse_change();
create trigger message_append_only before update or delete on message for each row execute function refuse_change();
