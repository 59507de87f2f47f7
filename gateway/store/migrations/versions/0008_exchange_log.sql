-- The exchange log: a leaf for every act, numbered within its stream in the act's own transaction, then put into a
-- Merkle tree by the sequencer. gateway/exchange_log/README.md explains it.
-- This step only adds (phase pre): acts of the release before have no leaf; post_0002 ends that.

alter table audit_event add column event_id uuid;
create unique index audit_event_leaf on audit_event (event_id);
comment on column audit_event.event_id is 'the id in its leaf, which commits to this row; null: written before there was a log';

create index audit_event_checked on audit_event (at) where act = 'log.checked';

create table vault_key (
    case_no  text primary key,
    subj     uuid not null unique,
    wrapped  bytea not null,
    made_at  timestamptz not null default now()
);
comment on table vault_key is 'the key of a case; whoever deletes the row makes the leaves about the case say nothing any more';
comment on column vault_key.case_no is 'case';
comment on column vault_key.subj is 'its random name in leaves';
comment on column vault_key.wrapped is '32 bytes, wrapped (RFC 3394) with the key in GATEWAY_HOME/keys/vault.secret';
comment on column vault_key.made_at is 'when';
alter table vault_key enable row level security, force row level security;
create policy of_journey on vault_key using ((select current_setting('app.partner', true)) = '*');
create policy of_own_leg on vault_key for select
    using ((select current_setting('app.partner', true)) <> '*'
           and (select true from leg where leg.case_no = vault_key.case_no limit 1));
create policy of_own_leg_new on vault_key for insert
    with check ((select current_setting('app.partner', true)) <> '*'
                and (select true from leg where leg.case_no = vault_key.case_no limit 1));

create table xlog_stream (
    stream  text primary key,
    seq     bigint not null
);
comment on table xlog_stream is 'the last number taken in each stream; its row lock makes the order of leaves the order of numbers';
comment on column xlog_stream.stream is 'a partner, access, system or log';
comment on column xlog_stream.seq is 'from 1, without gaps';

create table xlog_pending (
    id          bigint generated always as identity primary key,
    event_id    uuid not null unique,
    leaf        bytea not null check (octet_length(leaf) between 1 and 65535),
    created_at  timestamptz not null default now()
);
comment on table xlog_pending is 'leaves that are committed and not in the tree yet';
comment on column xlog_pending.id is 'order';
comment on column xlog_pending.event_id is 'the id in the leaf';
comment on column xlog_pending.leaf is 'exact bytes';
comment on column xlog_pending.created_at is 'when its act began to be committed';

create table xlog_head (
    shard      smallint primary key,
    origin     text not null unique,
    vkey       text not null,
    size       bigint not null check (size >= 0),
    root       bytea not null check (octet_length(root) = 32),
    opened_at  timestamptz not null default clock_timestamp(),
    closed_at  timestamptz
);
create unique index xlog_head_open on xlog_head ((true)) where closed_at is null;
comment on table xlog_head is 'one log a year; one of them is open, and whoever locks its row may append';
comment on column xlog_head.shard is 'order';
comment on column xlog_head.origin is 'name of the log in its checkpoints';
comment on column xlog_head.vkey is 'its public key, as text; auditors have it from elsewhere';
comment on column xlog_head.size is 'leaves';
comment on column xlog_head.root is 'root of the tree';
comment on column xlog_head.opened_at is 'when';
comment on column xlog_head.closed_at is 'when; null: open';

create table xlog_entry (
    shard          smallint not null references xlog_head,
    idx            bigint not null,
    event_id       uuid not null unique,
    leaf           bytea not null,
    integrated_at  timestamptz not null,
    primary key (shard, idx)
);
comment on table xlog_entry is 'leaves in the tree; never changed';
comment on column xlog_entry.shard is 'which log';
comment on column xlog_entry.idx is 'place, from 0';
comment on column xlog_entry.event_id is 'the id in the leaf';
comment on column xlog_entry.leaf is 'exact bytes';
comment on column xlog_entry.integrated_at is 'when it got its place';

create table xlog_tile (
    shard  smallint not null references xlog_head,
    level  smallint not null check (level between 0 and 63),
    n      bigint not null,
    data   bytea not null check (octet_length(data) between 32 and 8192 and octet_length(data) % 32 = 0),
    primary key (shard, level, n)
);
comment on table xlog_tile is 'hashes of the tree, 256 a tile (C2SP tlog-tiles); a tile only grows';
comment on column xlog_tile.shard is 'which log';
comment on column xlog_tile.level is '0: hashes of leaves; above: of whole tiles below';
comment on column xlog_tile.n is 'place in the level';
comment on column xlog_tile.data is 'its hashes, as many as there are';

create table xlog_checkpoint (
    shard       smallint not null references xlog_head,
    size        bigint not null,
    root        bytea not null check (octet_length(root) = 32),
    note        text not null,
    created_at  timestamptz not null default clock_timestamp(),
    primary key (shard, size)
);
comment on table xlog_checkpoint is 'signed heads; one for a size, so that no two roots are ever signed for it';
comment on column xlog_checkpoint.shard is 'which log';
comment on column xlog_checkpoint.size is 'leaves';
comment on column xlog_checkpoint.root is 'root of the tree';
comment on column xlog_checkpoint.note is 'signed note (C2SP tlog-checkpoint)';
comment on column xlog_checkpoint.created_at is 'when';

create table xlog_cosig (
    shard    smallint not null,
    size     bigint not null,
    witness  text not null,
    line     text not null,
    at       timestamptz not null,
    primary key (shard, size, witness),
    foreign key (shard, size) references xlog_checkpoint
);
comment on table xlog_cosig is 'what witnesses said of checkpoints (C2SP tlog-cosignature)';
comment on column xlog_cosig.shard is 'which log';
comment on column xlog_cosig.size is 'which checkpoint';
comment on column xlog_cosig.witness is 'key name of the witness';
comment on column xlog_cosig.line is 'its signature line';
comment on column xlog_cosig.at is 'the time in the cosignature';

-- Guard-rails, not proofs: what an owner of the database does is caught by checkpoints that others keep.
create function xlog_never() returns trigger language plpgsql as $$
begin
    raise exception 'the exchange log is append only, whatever is destroyed: % on %', tg_op, tg_table_name;
end $$;
create function xlog_only_grows() returns trigger language plpgsql as $$
begin
    if substr(new.data, 1, octet_length(old.data)) <> old.data then
        raise exception 'a tile only grows';
    end if;
    return new;
end $$;
create trigger append_only before update or delete on xlog_entry for each row execute function xlog_never();
create trigger append_only before update or delete on xlog_checkpoint for each row execute function xlog_never();
create trigger append_only before update or delete on xlog_cosig for each row execute function xlog_never();
create trigger only_grows before update on xlog_tile for each row execute function xlog_only_grows();
create trigger never_gone before delete on xlog_tile for each row execute function xlog_never();
create trigger never_gone before delete on xlog_head for each row execute function xlog_never();
revoke update, delete on xlog_entry, xlog_checkpoint, xlog_cosig from gateway_app;
revoke delete on xlog_tile, xlog_head, xlog_stream from gateway_app;
revoke update on xlog_pending from gateway_app;
