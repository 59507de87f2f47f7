-- The keys of cases can be wrapped anew, under another secret of the vault. This step only adds (phase pre); the release
-- before writes no numbers, and knows the first secret only.

alter table vault_key add column secret integer not null default 1;
comment on column vault_key.secret is 'number of the secret that both its keys are wrapped with, or the older one of two';
create index vault_key_of_secret on vault_key (secret, case_no);

alter table vault_state add column secret integer not null default 1, add column rewrapped boolean not null default true;
comment on column vault_state.secret is 'number of the secret that keys are wrapped with: 1 is keys/vault.secret, n is keys/vault-n.secret';
comment on column vault_state.rewrapped is 'no key is wrapped with an older secret any more';

create function replace_secret(number integer) returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms' as $$
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey replaces the secret';
    end if;
    lock table vault_state in access exclusive mode;  -- whoever was told the number before has ended then
    update vault_state set secret = number, rewrapped = false where rewrapped and secret = number - 1;
    return found;
exception when lock_not_available then
    return null;
end $$;
comment on function replace_secret is
    'from here on keys are wrapped with the next secret; false when the one before is not everywhere yet, null when others work';

create function secret_is_everywhere() returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if current_setting('app.partner', true) is distinct from '*' then
        raise exception 'only the whole journey says that the secret is replaced';
    end if;
    update vault_state s set rewrapped = true
        where not rewrapped and not exists (select from vault_key k where k.secret < s.secret);
    return found;
end $$;
comment on function secret_is_everywhere is 'writes down that no key is wrapped with an older secret; false when one is, or it was said before';
