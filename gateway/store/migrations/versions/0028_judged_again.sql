-- A judgement of an outcome may become another by time alone: a no is one after 45 days, an end that was planned comes. The
-- day is kept with the leg; a leg that was judged before it was kept is judged once more. And of two words of the same
-- content that wait for their turn, a deletion was lost behind a change: each kind of change waits by itself.
-- This step only adds (phase pre): the release before does not look at the day, and names no key when it parks.

alter table leg add column judge_on date default '0001-01-01';
comment on column leg.judge_on is 'business day from which its outcome is judged again although it has not changed; null: none lies ahead';

-- What was destroyed has no facts that could mean something else.
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
    update leg set judge_on = null where ref_no = any(legs) and judge_on is not null;
    update outcome_fact set content = '', fhir = '' where ref_no = any(legs);
    update rtw_update set content = '{}' where ref_no = any(legs);
    update quarantined_record set raw = '' where case_no = any(cases);
    delete from parked_record where case_no = any(cases);
    perform set_config('app.destroying', '', true);
end $$;

alter table parked_record drop constraint parked_record_pkey, add primary key (case_no, version, facts_sha256, change);
