-- The keys of cases: wrapped, one for its acts and one for its content.

-- name: sealing$
-- Whether content is sealed yet. Whoever asks holds off the step that says so until his transaction ends.
select sealing from vault_state;

-- name: keys_of_cases
-- With the number of the secret that keys are wrapped with: one row at least.
select s.secret, k.case_no, k.subj, k.wrapped, k.content
from vault_state s left join vault_key k on k.case_no = any(:case_nos);

-- name: keys_of_legs
-- The same for the cases of these legs.
select s.secret, k.case_no, k.subj, k.wrapped, k.content
from vault_state s left join vault_key k on k.case_no = any(array(select case_no from leg where ref_no = any(:ref_nos)));

-- name: add_case_keys!
-- Make keys, in order so that two makers cannot block each other; whoever was faster keeps his.
insert into vault_key (case_no, subj, wrapped, content, secret, content_at)
select made.*, :secret, clock_timestamp() from unnest(:case_nos::text[], :subjs::uuid[], :wrapped::bytea[], :contents::bytea[])
     as made (case_no, subj, wrapped, content)
order by case_no
on conflict (case_no) do nothing;

-- name: add_content_keys!
-- Content keys for cases that have none, or none any more; whoever was faster keeps his.
with bare as (
    select case_no from vault_key where case_no = any(:case_nos) and content is null order by case_no for update
)
update vault_key k set content = made.content, content_at = clock_timestamp(), secret = least(k.secret, :secret)
from unnest(:case_nos::text[], :contents::bytea[]) as made (case_no, content) join bare using (case_no)
where k.case_no = made.case_no and k.content is null;

-- name: rest_is_due$
-- Whether anything may lie in the clear that should not.
select sealing and not sealed from vault_state;

-- name: rest_is_sealed!
update vault_state set sealed = true;

-- name: seals!
-- For the owner, in this transaction: rows of append-only tables may be sealed.
select set_config('app.destroying', 'sealing', true);

-- name: secret_in_force^
select secret, rewrapped from vault_state;

-- name: some_key$
-- A key of a case as it is wrapped, whichever comes first; nothing where there is none yet.
select wrapped from vault_key limit 1;

-- name: replace_secret$
select replace_secret(:number::integer);

-- name: secret_is_everywhere$
select secret_is_everywhere();

-- name: keys_of_older_secrets
-- Some of them, and nobody else's until this transaction ends.
select case_no, wrapped, content from vault_key where secret < :secret
order by secret, case_no limit :most for update;

-- name: rewrap_keys!
update vault_key k set wrapped = anew.wrapped, content = anew.content, secret = :secret
from unnest(:case_nos::text[], :wrapped::bytea[], :contents::bytea[]) as anew (case_no, wrapped, content)
where k.case_no = anew.case_no;
