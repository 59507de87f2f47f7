-- Nothing is destroyed of a case that somebody takes up again at the same moment: the cases that were chosen are locked,
-- those that somebody else has locked are left for another day, and what is locked is looked at once more, by a statement
-- of its own, before anything is emptied. This step only replaces functions (phase pre).

create or replace function destroy_content(before date, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    cases text[];
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    select array_agg(d) into cases from (
        select d from due_content(before) as x (d) where d not in (select case_no from legal_hold) limit most) y;
    select array_agg(case_no) into cases from (
        select case_no from case_record where case_no = any(cases) order by case_no for update skip locked) y;
    select array_agg(d) into cases from due_content(before) as x (d)
        where d = any(cases) and d not in (select case_no from legal_hold);
    if cases is null then
        return 0;
    end if;
    perform empty_cases(cases);
    return cardinality(cases);
end $$;
comment on function destroy_content is 'empties closed cases, and destroys the keys of their content';

create or replace function destroy_evidence(before date, most integer) returns integer
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
    select array_agg(case_no) into cases from (
        select case_no from case_record where case_no = any(cases) order by case_no for update skip locked) y;
    select array_agg(d) into cases from closed_cases(before) as x (d)
        where d = any(cases) and d not in (select case_no from legal_hold);
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
