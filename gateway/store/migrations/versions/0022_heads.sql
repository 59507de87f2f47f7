-- What is kept of the heads of requests and their answers, beside the messages: with each attempt that was sent, and with
-- each message that was taken in. A partner has a part in their words, so they are sealed like content, and end with it.
-- This step only adds (phase pre): the release before keeps no heads, and the functions it calls do what they did, and
-- more.

alter table attempt add column head bytea;
alter table message add column head bytea;
comment on column attempt.head is
    'head of the request as it was signed, and of its answer (gateway.sealing.heads), sealed; null: nothing left, or destroyed';
comment on column message.head is
    'head of the request that brought an inbound message, as it was signed, and the status of our answer; sealed';

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    if current_setting('app.destroying', true) = 'evidence' and tg_op = 'DELETE' and tg_table_name <> 'audit_event' then
        return old;
    elsif current_setting('app.destroying', true) in ('content', 'sealing') and tg_op = 'UPDATE' then
        if tg_table_name = 'case_history' and to_jsonb(new) - 'record' = to_jsonb(old) - 'record' then
            return new;
        elsif tg_table_name = 'message'
              and to_jsonb(new) - array['body', 'fhir', 'head'] = to_jsonb(old) - array['body', 'fhir', 'head'] then
            return new;
        end if;
    end if;
    raise exception 'table % is append only', tg_table_name;
end $$;

create or replace function empty_cases(cases text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    legs  text[];
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    if exists (select from legal_hold where case_no = any(cases)) then
        raise exception 'a case on hold is not destroyed';
    end if;
    perform set_config('app.destroying', 'content', true);
    select array_agg(ref_no) into legs from leg where case_no = any(cases);
    update vault_key set content = null, destroyed_at = clock_timestamp()
        where case_no = any(cases) and content is not null;
    update case_record set facts = null, entry = null, record = null where case_no = any(cases);
    update case_history set record = null where case_no = any(cases) and record is not null;
    update screening set contributions = '[]' where case_no = any(cases);
    update attempt a set head = null from message m
        where m.case_no = any(cases) and m.direction = 'out' and (a.partner, a.mid) = (m.partner, m.mid);
    update message set body = '', fhir = null, head = null where case_no = any(cases);
    update outcome_fact set content = '', fhir = '' where ref_no = any(legs);
    update rtw_update set content = '{}' where ref_no = any(legs);
    update quarantined_record set raw = '' where case_no = any(cases);
    delete from parked_record where case_no = any(cases);
    perform set_config('app.destroying', '', true);
end $$;
comment on function empty_cases is
    'destroys the content keys of cases and empties what can be read; ids, digests, signatures, receipts and decisions stay';

create or replace function due_put_aside(before date) returns table (case_no text, file_id uuid, record_no integer)
language sql stable as $$
    select q.case_no, q.file_id, q.record_no from quarantined_record q join handover_file f using (file_id)
    where q.raw <> '' and (f.received_at at time zone 'Asia/Seoul')::date < before
    union all
    select p.case_no, p.file_id, p.record_no from parked_record p
    where (p.parked_at at time zone 'Asia/Seoul')::date < before
    union all
    select null, null, null from message m
    where m.case_no is null and (m.body <> '' or m.head is not null) and (m.at at time zone 'Asia/Seoul')::date < before
$$;
comment on function due_put_aside is
    'records put aside, versions still waiting for their turn, and messages about no case, that came before a day';

create or replace function destroy_put_aside(before date, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    emptied integer;
    gone    integer;
    unheard integer;
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    with due as (
        select d.file_id, d.record_no from due_put_aside(before) d
        where d.file_id is not null and (d.case_no is null or d.case_no not in (select case_no from legal_hold))
        limit most)
    update quarantined_record q set raw = '' from due where (q.file_id, q.record_no) = (due.file_id, due.record_no);
    get diagnostics emptied = row_count;
    delete from parked_record where (parked_at at time zone 'Asia/Seoul')::date < before
        and case_no not in (select case_no from legal_hold);
    get diagnostics gone = row_count;
    perform set_config('app.destroying', 'content', true);
    with due as (
        select m.partner, m.direction, m.mid from message m
        where m.case_no is null and (m.body <> '' or m.head is not null)
          and (m.at at time zone 'Asia/Seoul')::date < before limit most)
    update message m set body = '', fhir = null, head = null from due
        where (m.partner, m.direction, m.mid) = (due.partner, due.direction, due.mid);
    get diagnostics unheard = row_count;
    perform set_config('app.destroying', '', true);
    return emptied + gone + unheard;
end $$;
comment on function destroy_put_aside is
    'empties records put aside and messages about no case, and deletes versions that waited in vain; digests stay';
