-- Whether the database would let us work, and its clock.

-- name: now$
select clock_timestamp();

-- name: health^
select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean, clock_timestamp(),
       array(select version_num::text from alembic_version);
