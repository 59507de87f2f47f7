-- Who holds a seat and who waits for one is asked each time somebody is screened: it is kept, and not looked for among all
-- cases and their decisions. The database keeps it itself, because the release before decides too (phase pre).
-- While the step runs, nobody decides and nothing is taken in: about a second for 100,000 live cases.

create table standing (
    case_no   text primary key references case_record on delete cascade,
    revision  integer not null,
    result    text not null check (result in ('PRIORITY', 'WAITLIST')),
    since     date not null
);
create index standing_waiting on standing (case_no) where result = 'WAITLIST';
comment on table standing is 'cases of which the latest screening decision gives a seat, or a place on a waiting list';
comment on column standing.case_no is 'case';
comment on column standing.revision is 'revision that was decided about; another one than was screened last gives nothing';
comment on column standing.result is 'PRIORITY or WAITLIST';
comment on column standing.since is 'business day from which it has been so without a break; a deletion is one';
alter table standing enable row level security;  -- forced in phase post: release 0.1.0 decides as the owner, without a scope
create policy of_journey on standing using ((select current_setting('app.partner', true)) = '*');

create function keep_standing() returns trigger language plpgsql as $$
begin
    with latest as (
        select distinct on (d.case_no) d.case_no, d.revision, d.result, d.business_date from decided d
        order by d.case_no, d.id desc
    ), ended as (
        delete from standing s using latest l where s.case_no = l.case_no and l.result not in ('PRIORITY', 'WAITLIST')
    )
    insert into standing as s (case_no, revision, result, since)
    select l.case_no, l.revision, l.result, l.business_date from latest l where l.result in ('PRIORITY', 'WAITLIST')
    order by l.case_no
    on conflict (case_no) do update set
        revision = excluded.revision, result = excluded.result,
        since = case when s.result = excluded.result then s.since else excluded.since end;
    return null;
end $$;
comment on function keep_standing is 'lets standing follow the decisions that were just written';
create trigger screening_standing after insert on screening referencing new table as decided
    for each statement execute function keep_standing();

create function end_standing() returns trigger language plpgsql as $$
begin
    delete from standing where case_no = new.case_no;
    return null;
end $$;
comment on function end_standing is 'ends the standing of a case that COMWEL took back';
create trigger case_history_standing after insert on case_history for each row when (new.change in ('D', 'X'))
    execute function end_standing();

insert into standing (case_no, revision, result, since)
select c.case_no, last.revision, last.result, s.since
from case_record c
join lateral (
    select x.result, x.revision from screening x where x.case_no = c.case_no order by x.id desc limit 1
) last on last.result in ('PRIORITY', 'WAITLIST')
join lateral (
    select min(x.business_date) as since from screening x
    where x.case_no = c.case_no
      and x.id > coalesce((select max(y.id) from screening y where y.case_no = c.case_no and y.result <> last.result), 0)
      and x.revision > coalesce((select max(h.revision) from case_history h
                                 where h.case_no = c.case_no and h.change in ('D', 'X')), 0)
) s on s.since is not null;
