-- Whether the database would let us work.

-- name: health^
select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean, clock_timestamp(),
       array(select version_num::text from alembic_version);
