-- Witnesses cosign a head again while it stands still, so a cosignature is of a moment; and what a witness has seen of a
-- log that this database does not continue stops the log for every process.

alter table xlog_cosig drop constraint xlog_cosig_pkey;
alter table xlog_cosig add primary key (shard, size, witness, at);
create index xlog_cosig_newest on xlog_cosig (witness, shard, at);
comment on column xlog_cosig.witness is 'public key of the witness, as text';

create table xlog_outside (
    shard    smallint not null references xlog_head,
    witness  text not null,
    note     text not null,
    at       timestamptz not null default clock_timestamp(),
    primary key (shard, witness)
);
comment on table xlog_outside is 'checkpoints that a log signed and that this database does not continue, as witnesses showed them; such a log is never continued';
comment on column xlog_outside.shard is 'which log';
comment on column xlog_outside.witness is 'public key of the witness that showed it, as text';
comment on column xlog_outside.note is 'what it showed';
comment on column xlog_outside.at is 'when';
create trigger append_only before update or delete on xlog_outside for each row execute function xlog_never();
revoke update, delete on xlog_outside from gateway_app;
