-- Who spoke last of a case, whom it may no longer be shown, and until when that is so. This step only adds (phase pre): the
-- release before writes the columns it knew; what it writes has no place, and is judged anew by the next release.

alter table case_record
    add column facts_date date,
    add column facts_seq integer,
    add column entry_date date,
    add column entry_seq integer,
    add column entry_version integer,
    add column unserved text not null default '',
    add column holds_until timestamptz,
    add column judged integer not null default 0;
comment on column case_record.facts_date is 'base date of the A1 file that speaks for the facts; null: before places were kept';
comment on column case_record.facts_seq is 'its number, of a resend that of the file it stands for';
comment on column case_record.entry_date is 'base date of the A6 file that speaks for the entry; null: as above';
comment on column case_record.entry_seq is 'its number';
comment on column case_record.entry_version is '차수 for which the entry was made';
comment on column case_record.unserved is 'partners that had an open leg when it was judged and to whom nothing may go, with blanks between';
comment on column case_record.holds_until is 'moment of business time at which time alone may change what was judged; null: none lies ahead';
comment on column case_record.judged is 'revision last judged; an older one is judged anew';
create index case_record_to_call_back on case_record (case_no) where barred or version > 1 or unserved <> '';
create index case_record_unjudged on case_record (case_no)
    where status = 'live' and record is not null and judged < revision;
create index case_record_holds_until on case_record (holds_until)
    where status = 'live' and record is not null and holds_until is not null;

alter table handover_file add column stands_for integer;
comment on column handover_file.stands_for is 'number of the file that a resend stands for; null: it is no resend';

alter table parked_record add column told_date date, add column told_seq integer;
comment on column parked_record.told_date is 'base date of the file that speaks in it; null: before places were kept';
comment on column parked_record.told_seq is 'its number, of a resend that of the file it stands for';

comment on column case_record.barred is
    'nothing about it may leave to anybody any more: no permission, not live, or the worker has died';
