-- Who is to be referred is asked several times a second: it is found by an index, and whoever neither has a seat nor waits
-- for one is not in it. The release before marks nobody, and finds everybody as it did (phase pre).

alter table case_record add column not_to_refer integer not null default 0;
comment on column case_record.not_to_refer is
    'revision of which the latest decision gives no seat and no place on a waiting list; 0: it gives one, or nobody knows';
update case_record c set not_to_refer = c.revision
where c.screened = c.revision
  and coalesce((select s.result not in ('PRIORITY', 'WAITLIST') from screening s
                where s.case_no = c.case_no order by s.id desc limit 1), false);
create index case_to_refer on case_record (case_no)
    where status = 'live' and verdict = 'ok' and screened = revision and referred < revision and not_to_refer <> revision;
