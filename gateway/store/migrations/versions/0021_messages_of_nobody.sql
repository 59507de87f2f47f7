-- A message about no leg of its sender belongs to no case, so no case's end was its end. Its content ends as that of
-- records put aside. Only functions are replaced: the release before calls them and gets what it got, and more.

create or replace function due_put_aside(before date) returns table (case_no text, file_id uuid, record_no integer)
language sql stable as $$
    select q.case_no, q.file_id, q.record_no from quarantined_record q join handover_file f using (file_id)
    where q.raw <> '' and (f.received_at at time zone 'Asia/Seoul')::date < before
    union all
    select p.case_no, p.file_id, p.record_no from parked_record p
    where (p.parked_at at time zone 'Asia/Seoul')::date < before
    union all
    select null, null, null from message m
    where m.case_no is null and m.body <> '' and (m.at at time zone 'Asia/Seoul')::date < before
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
        where m.case_no is null and m.body <> '' and (m.at at time zone 'Asia/Seoul')::date < before limit most)
    update message m set body = '', fhir = null from due
        where (m.partner, m.direction, m.mid) = (due.partner, due.direction, due.mid);
    get diagnostics unheard = row_count;
    perform set_config('app.destroying', '', true);
    return emptied + gone + unheard;
end $$;
comment on function destroy_put_aside is
    'empties records put aside and messages about no case, and deletes versions that waited in vain; digests stay';
