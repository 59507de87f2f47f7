-- Row-level security: who may see which rows is said here, and no longer in every WHERE.
-- A transaction says for whom it works: `set local app.partner = 'KEIS'` for one partner, `'*'` for the whole journey.
-- One that says neither sees nothing and writes nothing. `gateway_app` is the role that the gateway works as: no owner,
-- no superuser, and not able to pass by these policies.
-- This step only adds (phase pre): the owner, as whom the release before works, is held to it by post_0001.

do $$
begin
    if not exists (select from pg_roles where rolname = 'gateway_app') then
        create role gateway_app nologin nosuperuser nobypassrls nocreaterole nocreatedb;
    end if;
exception when duplicate_object or unique_violation then null;  -- another database of this server was faster
end $$;
do $$
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        grant gateway_app to current_user;  -- PostgreSQL 16 and later: whoever makes a role may not yet set it
    end if;
exception when insufficient_privilege then null;  -- somebody else made the role, and granted it
end $$;

grant usage on schema public to gateway_app;
grant select, insert, update, delete on all tables in schema public to gateway_app;
alter default privileges in schema public grant select, insert, update, delete on tables to gateway_app;
revoke all on alembic_version from gateway_app;
grant select on alembic_version to gateway_app;
revoke update, delete on audit_event, case_history, message from gateway_app;

-- ── rows that name their partner ─────────────────────────────────────────────────────────────────────────────────────
do $$
declare named text;
begin
    foreach named in array array['leg', 'message', 'delivery', 'attempt', 'receipt', 'inbox', 'nonce', 'work_item',
                                 'audit_event'] loop
        execute format('alter table %I enable row level security', named);
        execute format($policy$
            create policy of_partner on %I
            using (partner = (select current_setting('app.partner', true))
                   or (select current_setting('app.partner', true)) = '*')
        $policy$, named);
    end loop;
end $$;

-- ── rows that belong to a leg: whoever sees the leg sees them ────────────────────────────────────────────────────────
-- A subquery for one value and no `exists`: that one PostgreSQL may turn into a hash of all legs.
do $$
declare named text;
begin
    foreach named in array array['outcome_fact', 'retention_check', 'rtw_update'] loop
        execute format('alter table %I enable row level security', named);
        execute format($policy$
            create policy of_leg on %1$I
            using ((select current_setting('app.partner', true)) = '*'
                   or (select true from leg where leg.ref_no = %1$I.ref_no))
        $policy$, named);
    end loop;
end $$;

-- ── what COMWEL knows: the journey's alone; a partner's unit may read the case of a leg of its own ───────────────────
do $$
declare named text;
begin
    foreach named in array array['handover_file', 'quarantined_record', 'parked_record', 'case_record', 'case_history',
                                 'screening', 'referral'] loop
        execute format('alter table %I enable row level security', named);
        execute format($policy$
            create policy of_journey on %I using ((select current_setting('app.partner', true)) = '*')
        $policy$, named);
    end loop;
end $$;
create policy of_own_leg on case_record for select
    using ((select current_setting('app.partner', true)) <> '*'
           and (select true from leg where leg.case_no = case_record.case_no limit 1));

-- ── keys: a signature is checked with the keys of one owner, whatever the query forgets ──────────────────────────────
alter table partner_key enable row level security;
create policy of_owner on partner_key
    using (owner = (select lower(current_setting('app.partner', true)))
           or (select current_setting('app.partner', true)) = '*');
