-- Content that was destroyed and came back with a backup that was too old is found, and destroyed again. That it was
-- destroyed is written down beside the data, and not only beside the keys, whose backups are others. This step only adds
-- (phase pre).

alter table vault_key add column content_at timestamptz;
comment on column vault_key.content_at is 'when the content key was made; null: with the row';

create table destroyed_content (
    case_no  text primary key,
    at       timestamptz not null
);
comment on table destroyed_content is 'cases whose content was destroyed: no content key that is older may be there any more';
comment on column destroyed_content.case_no is 'case';
comment on column destroyed_content.at is 'when its content was last destroyed';
alter table destroyed_content enable row level security, force row level security;
create policy of_journey on destroyed_content using ((select current_setting('app.partner', true)) = '*');
revoke insert, update, delete on destroyed_content from gateway_app;
insert into destroyed_content (case_no, at) select case_no, destroyed_at from vault_key where destroyed_at is not null;

create function note_destroyed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into destroyed_content (case_no, at) values (new.case_no, new.destroyed_at)
    on conflict (case_no) do update set at = greatest(destroyed_content.at, excluded.at);
    return null;
end $$;
comment on function note_destroyed is 'whoever destroys a content key has it written down';
create trigger is_noted after update of destroyed_at on vault_key
    for each row when (new.destroyed_at is distinct from old.destroyed_at and new.destroyed_at is not null)
    execute function note_destroyed();

create function returned_content() returns setof text language sql stable as $$
    select k.case_no from vault_key k join destroyed_content d using (case_no)
    where k.content is not null and coalesce(k.content_at, k.made_at) <= d.at
    union
    select k.case_no from vault_key k left join destroyed_content d using (case_no)
    where k.content is null and coalesce(k.destroyed_at, d.at) is not null
      and (exists (select from case_record c where c.case_no = k.case_no
                   and (c.facts is not null or c.entry is not null or c.record is not null))
           or exists (select from case_history h where h.case_no = k.case_no and h.record is not null)
           or exists (select from message m where m.case_no = k.case_no and m.body <> '')
           or exists (select from outcome_fact f join leg l using (ref_no) where l.case_no = k.case_no and f.content <> '')
           or exists (select from rtw_update u where u.case_no = k.case_no and u.content <> '{}')
           or exists (select from quarantined_record q where q.case_no = k.case_no and q.raw <> '')
           or exists (select from parked_record p where p.case_no = k.case_no))
$$;
comment on function returned_content is
    'cases whose content was destroyed, and whose key lives again or whose rows came back';

create function destroy_returned(most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    cases text[];
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey destroys';
    end if;
    select array_agg(r) into cases from (
        select r from returned_content() as x (r) where r not in (select case_no from legal_hold) limit most) y;
    if cases is null then
        return 0;
    end if;
    perform empty_cases(cases);
    return cardinality(cases);
end $$;
comment on function destroy_returned is 'empties cases that came back, and destroys their keys once more';
revoke execute on function destroy_returned from public;
grant execute on function destroy_returned to gateway_app;
