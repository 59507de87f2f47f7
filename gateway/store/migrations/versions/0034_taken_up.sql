-- What came back with an old backup was destroyed again although somebody had just taken its case up: what he wrote was
-- emptied with it. Here, too, the cases that were chosen are locked, those that somebody else has locked are left for
-- another day, and what is locked is looked at once more. This step only replaces a function (phase pre).

create or replace function destroy_returned(most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    cases text[];
    mine  text[];
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    select array_agg(r) into cases from (
        select r from returned_content() as x (r) where r not in (select case_no from legal_hold) limit most) y;
    if cases is null then
        return 0;
    end if;
    select array_agg(case_no) into mine from (
        select case_no from case_record where case_no = any(cases) order by case_no for update skip locked) y;
    select array_agg(r) into cases from returned_content() as x (r)
        where r = any(cases) and r not in (select case_no from legal_hold)
          and (r = any(mine) or not exists (select from case_record c where c.case_no = r));
    if cases is null then
        return 0;
    end if;
    perform empty_cases(cases);
    return cardinality(cases);
end $$;
comment on function destroy_returned is 'empties cases that came back, and destroys their keys once more';
