-- The keys of cases: wrapped, one for its acts and one for its content.

-- name: sealing$
-- Whether content is sealed yet. Whoever asks holds off the step that says so until his transaction ends.
select sealing from vault_state;

-- name: keys_of_cases
select case_no, subj, wrapped, content from vault_key where case_no = any(:case_nos);

-- name: add_case_keys!
-- Make keys, in order so that two makers cannot block each other; whoever was faster keeps his.
insert into vault_key (case_no, subj, wrapped, content)
select * from unnest(:case_nos::text[], :subjs::uuid[], :wrapped::bytea[], :contents::bytea[])
     as made (case_no, subj, wrapped, content)
order by case_no
on conflict (case_no) do nothing;

-- name: add_content_keys!
-- Content keys for cases that have none, or none any more; whoever was faster keeps his.
with bare as (
    select case_no from vault_key where case_no = any(:case_nos) and content is null order by case_no for update
)
update vault_key k set content = made.content
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
