-- How long records are kept, and their end. What may be destroyed is decided here, by rows; for how long the law keeps
-- it is a rule with a date (mappings/rules/retention). Append-only tables stay so: the two functions below are the only
-- way around, they work in the scope of the whole journey only, and pass over every case that is held.

create table legal_hold (
    case_no  text primary key,
    reason   text not null,
    since    timestamptz not null
);
comment on table legal_hold is 'cases of which nothing is destroyed, however old: a lawsuit, an audit, an objection';
comment on column legal_hold.case_no is 'case';
comment on column legal_hold.reason is 'reason code';
comment on column legal_hold.since is 'when the hold began';
alter table legal_hold enable row level security, force row level security;
create policy of_journey on legal_hold using ((select current_setting('app.partner', true)) = '*');

create table daily_round (
    round  text primary key,
    day    date not null
);
comment on table daily_round is 'rounds that run once a business day, whoever comes first';
comment on column daily_round.round is 'which round';
comment on column daily_round.day is 'business day on which it ran last';

create function closed_cases(before date) returns setof text language sql stable as $$
    select c.case_no from case_record c
    where (c.updated_at at time zone 'Asia/Seoul')::date < before
      and not exists (select from leg l where l.case_no = c.case_no
                      and (l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
                           or l.tracked < l.version
                           or (l.updated_at at time zone 'Asia/Seoul')::date >= before))
      and not exists (select from retention_check r join leg l using (ref_no)
                      where l.case_no = c.case_no and r.state in ('scheduled', 'due'))
      and not exists (select from message m where m.case_no = c.case_no
                      and (m.at at time zone 'Asia/Seoul')::date >= before)
      and not exists (select from delivery d where d.case_no = c.case_no and d.state in ('ready', 'leased'))
      and not exists (select from rtw_update u where u.case_no = c.case_no and u.file_seq is null)
      and (c.status <> 'live' or c.verdict <> 'ok' or exists (select from leg l where l.case_no = c.case_no)
           or coalesce((select s.result not in ('PRIORITY', 'WAITLIST') from screening s
                        where s.case_no = c.case_no order by s.id desc limit 1), false))
$$;
comment on function closed_cases is
    'cases with which nobody was concerned since a day: nothing is open, waiting, unsent or to be followed up';

create function due_content(before date) returns setof text language sql stable as $$
    select x.case_no from closed_cases(before) as x (case_no) join case_record c using (case_no)
    where c.facts is not null or c.entry is not null or c.record is not null
       or exists (select from case_history h where h.case_no = x.case_no and h.record is not null)
       or exists (select from message m where m.case_no = x.case_no and m.body <> '')
$$;
comment on function due_content is 'closed cases of which there is something left to read';

create function due_put_aside(before date) returns table (case_no text, file_id uuid, record_no integer)
language sql stable as $$
    select q.case_no, q.file_id, q.record_no from quarantined_record q join handover_file f using (file_id)
    where q.raw <> '' and (f.received_at at time zone 'Asia/Seoul')::date < before
    union all
    select p.case_no, p.file_id, p.record_no from parked_record p
    where (p.parked_at at time zone 'Asia/Seoul')::date < before
$$;
comment on function due_put_aside is 'records put aside, and versions still waiting for their turn, that came before a day';

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    if current_setting('app.destroying', true) = 'evidence' and tg_op = 'DELETE' and tg_table_name <> 'audit_event' then
        return old;
    elsif current_setting('app.destroying', true) = 'content' and tg_op = 'UPDATE' then
        if tg_table_name = 'case_history' and to_jsonb(new) - 'record' = to_jsonb(old) - 'record' then
            return new;
        elsif tg_table_name = 'message'
              and to_jsonb(new) - array['body', 'fhir'] = to_jsonb(old) - array['body', 'fhir'] then
            return new;
        end if;
    end if;
    raise exception 'table % is append only', tg_table_name;
end $$;

create function destroy_content(before date, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    cases text[];
    legs  text[];
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    select array_agg(d) into cases from (
        select d from due_content(before) as x (d) where d not in (select case_no from legal_hold) limit most) y;
    if cases is null then
        return 0;
    end if;
    perform set_config('app.destroying', 'content', true);
    select array_agg(ref_no) into legs from leg where case_no = any(cases);
    update case_record set facts = null, entry = null, record = null where case_no = any(cases);
    update case_history set record = null where case_no = any(cases) and record is not null;
    update screening set contributions = '[]' where case_no = any(cases);
    update message set body = '', fhir = null where case_no = any(cases);
    update outcome_fact set content = '', fhir = '' where ref_no = any(legs);
    update rtw_update set content = '{}' where ref_no = any(legs);
    update quarantined_record set raw = '' where case_no = any(cases);
    delete from parked_record where case_no = any(cases);
    perform set_config('app.destroying', '', true);
    return cardinality(cases);
end $$;
comment on function destroy_content is
    'empties what can be read of closed cases; ids, digests, signatures, receipts and decisions stay';

create function destroy_evidence(before date, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    cases text[];
    legs  text[];
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    select array_agg(d) into cases from (
        select d from closed_cases(before) as x (d) where d not in (select case_no from legal_hold) limit most) y;
    if cases is null then
        return 0;
    end if;
    perform set_config('app.destroying', 'evidence', true);
    select array_agg(ref_no) into legs from leg where case_no = any(cases);
    delete from outcome_fact where ref_no = any(legs);
    delete from retention_check where ref_no = any(legs);
    delete from rtw_update where ref_no = any(legs);
    delete from attempt a using message m where m.case_no = any(cases) and (a.partner, a.mid) = (m.partner, m.mid);
    delete from receipt r using message m
        where m.case_no = any(cases) and (r.partner, r.direction, r.mid) = (m.partner, m.direction, m.mid);
    delete from delivery where case_no = any(cases);
    delete from message where case_no = any(cases);
    delete from leg where ref_no = any(legs);
    delete from referral where case_no = any(cases);
    delete from screening where case_no = any(cases);
    delete from work_item where case_no = any(cases);
    delete from quarantined_record where case_no = any(cases);
    delete from parked_record where case_no = any(cases);
    delete from case_history where case_no = any(cases);
    delete from case_record where case_no = any(cases);
    perform set_config('app.destroying', '', true);
    return cardinality(cases);
end $$;
comment on function destroy_evidence is
    'deletes closed cases whole; the memory of message ids and the log of acts stay, neither says anything of a person';

create function destroy_put_aside(before date, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    emptied integer;
    gone    integer;
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    with due as (
        select d.file_id, d.record_no from due_put_aside(before) d
        where d.case_no is null or d.case_no not in (select case_no from legal_hold) limit most)
    update quarantined_record q set raw = '' from due where (q.file_id, q.record_no) = (due.file_id, due.record_no);
    get diagnostics emptied = row_count;
    delete from parked_record where (parked_at at time zone 'Asia/Seoul')::date < before
        and case_no not in (select case_no from legal_hold);
    get diagnostics gone = row_count;
    return emptied + gone;
end $$;
comment on function destroy_put_aside is 'empties records put aside and deletes versions that waited in vain; digests stay';

revoke execute on function destroy_content, destroy_evidence, destroy_put_aside from public;
grant execute on function destroy_content, destroy_evidence, destroy_put_aside to gateway_app;
