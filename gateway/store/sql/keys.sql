-- Public keys with their validity.

-- name: add_key!
insert into partner_key (owner, kid, jwk, not_before, not_after, revoked_at, signs_from)
values (:owner, :kid, :jwk, :not_before, :not_after, :revoked_at, :signs_from)
on conflict (owner, kid) do nothing;

-- name: keys_of
select owner, kid, jwk, not_before, not_after, revoked_at, signs_from
from partner_key where owner = :owner order by not_before, kid;

-- name: revoke_key!
update partner_key set revoked_at = :at where owner = :owner and kid = :kid and revoked_at is null;

-- name: schedule_key!
-- Whoever begins sooner is valid sooner, or what he signs before the old moment would count for nothing.
update partner_key set signs_from = :signs_from, not_before = least(not_before, :not_before)
where owner = :owner and kid = :kid and begun_at is null;

-- name: end_key!
update partner_key set not_after = least(not_after, :not_after) where owner = :owner and kid = :kid;

-- name: begun_keys
-- Keys that sign since a moment ago; each is found once. One that was revoked before never began.
update partner_key set begun_at = clock_timestamp()
where owner = :owner and signs_from <= clock_timestamp() and begun_at is null and revoked_at is null
returning owner, kid, jwk, not_before, not_after, revoked_at, signs_from;

-- name: ended_keys
-- Keys whose time is over; each is found once.
update partner_key set ended_at = clock_timestamp()
where owner = :owner and signs_from is not null and not_after <= clock_timestamp() and ended_at is null
returning owner, kid, jwk, not_before, not_after, revoked_at, signs_from;
