-- Public keys with their validity.

-- name: add_key!
insert into partner_key (owner, kid, jwk, not_before, not_after, revoked_at)
values (:owner, :kid, :jwk, :not_before, :not_after, :revoked_at)
on conflict (owner, kid) do nothing;

-- name: keys_of
select owner, kid, jwk, not_before, not_after, revoked_at from partner_key where owner = :owner order by not_before, kid;

-- name: revoke_key!
update partner_key set revoked_at = :at where owner = :owner and kid = :kid and revoked_at is null;
