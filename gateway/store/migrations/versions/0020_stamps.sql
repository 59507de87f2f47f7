-- Time stamps of checkpoints by an authority outside (RFC 3161). This step only adds (phase pre).

create table xlog_stamp (
    shard     smallint not null,
    size      bigint not null,
    response  bytea not null check (octet_length(response) between 1 and 65536),
    at        timestamptz not null,
    primary key (shard, size),
    foreign key (shard, size) references xlog_checkpoint
);
comment on table xlog_stamp is 'answers of a time stamping authority (RFC 3161), each over the note of one checkpoint';
comment on column xlog_stamp.shard is 'which log';
comment on column xlog_stamp.size is 'leaves of the checkpoint';
comment on column xlog_stamp.response is 'the answer as it came (TimeStampResp, DER)';
comment on column xlog_stamp.at is 'when the authority says it saw the note';
create trigger append_only before update or delete on xlog_stamp for each row execute function xlog_never();
grant select, insert on xlog_stamp to gateway_app;
revoke update, delete on xlog_stamp from gateway_app;
