-- The updates of a file are read when it is written, every two seconds while reports come, and files that are not yet
-- written are looked for as often; without an index all that were ever written were read for that.
-- This step only adds (phase pre), and stops nobody meanwhile: the indexes are built beside the writers, outside a
-- transaction; what an attempt that broke off has left behind goes first.

drop index concurrently if exists rtw_update_of_file;
create index concurrently rtw_update_of_file on rtw_update (file_date, file_seq) where file_seq is not null;
drop index concurrently if exists rtw_file_unwritten;
create index concurrently rtw_file_unwritten on rtw_file (file_date, file_seq) where written_at is null;
