-- What is said about a person lies sealed under a key of its case; whoever destroys the key destroys every copy.
-- This step only adds (phase pre): the release before reads and writes in the clear, so nothing is sealed until
-- post_0003 says so.

alter table vault_key add column content bytea, add column destroyed_at timestamptz;
comment on column vault_key.wrapped is
    'key that its leaves are committed with: 32 bytes, wrapped (RFC 3394) with the key in GATEWAY_HOME/keys/vault.secret';
comment on column vault_key.content is
    'key that its content is sealed with, wrapped alike; null: destroyed, or there was no content yet';
comment on column vault_key.destroyed_at is 'when a content key of the case was last destroyed';
comment on table vault_key is 'two keys a case, wrapped; without the one its content is unreadable in every copy, without the other its leaves say nothing';
create policy of_own_leg_again on vault_key for update
    using (content is null and (select current_setting('app.partner', true)) <> '*'
           and (select true from leg where leg.case_no = vault_key.case_no limit 1))
    with check (content is not null);

create table vault_state (
    one      boolean primary key default true check (one),
    sealing  boolean not null default false,
    sealed   boolean not null default false
);
insert into vault_state default values;
comment on table vault_state is 'one row: how far content is sealed';
comment on column vault_state.one is 'the row';
comment on column vault_state.sealing is 'what is written is sealed';
comment on column vault_state.sealed is 'what was written before is sealed too';
revoke insert, update, delete on vault_state from gateway_app;

-- Sealing what the release before left changes rows of append-only tables; only their owner may, in a step.
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    if current_setting('app.destroying', true) = 'evidence' and tg_op = 'DELETE' and tg_table_name <> 'audit_event' then
        return old;
    elsif current_setting('app.destroying', true) in ('content', 'sealing') and tg_op = 'UPDATE' then
        if tg_table_name = 'case_history' and to_jsonb(new) - 'record' = to_jsonb(old) - 'record' then
            return new;
        elsif tg_table_name = 'message'
              and to_jsonb(new) - array['body', 'fhir'] = to_jsonb(old) - array['body', 'fhir'] then
            return new;
        end if;
    end if;
    raise exception 'table % is append only', tg_table_name;
end $$;

create function empty_cases(cases text[]) returns void
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
    update message set body = '', fhir = null where case_no = any(cases);
    update outcome_fact set content = '', fhir = '' where ref_no = any(legs);
    update rtw_update set content = '{}' where ref_no = any(legs);
    update quarantined_record set raw = '' where case_no = any(cases);
    delete from parked_record where case_no = any(cases);
    perform set_config('app.destroying', '', true);
end $$;
comment on function empty_cases is
    'destroys the content keys of cases and empties what can be read; ids, digests, signatures, receipts and decisions stay';

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
    if cases is null then
        return 0;
    end if;
    perform empty_cases(cases);
    return cardinality(cases);
end $$;
comment on function destroy_content is 'empties closed cases, and destroys the keys of their content';

create function key_of_gone_case() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update vault_key set content = null, destroyed_at = clock_timestamp() where case_no = old.case_no and content is not null;
    return null;
end $$;
comment on function key_of_gone_case is 'the content key of a case goes with the case';
create trigger key_goes_too after delete on case_record for each row execute function key_of_gone_case();

revoke execute on function empty_cases from public;
