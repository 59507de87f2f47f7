-- Legs that may have to be called back are asked for several times a second, and every case that ever had a second version,
-- or whose worker had died, was read for it together with its legs: more of them each day. Now the database itself marks an
-- open leg when its case is written so that it may have to be called back; whether it has to is asked of those alone.
-- This step only adds (phase pre): who writes cases need not know, so the release before marks them as well.

alter table leg add column behind boolean not null default false;
comment on column leg.behind is
    'its case is barred, or has another version, or nothing may go to its partner, or that was so once: it may have to be called back';

-- In the order of their numbers, as everybody locks legs.
create function mark_legs_behind() returns trigger language plpgsql as $$
begin
    update leg set behind = true where ref_no = any(array(
        select l.ref_no from leg l join written c on c.case_no = l.case_no
        where l.case_no = any(array(select case_no from written where barred or version > 1 or unserved <> ''))
          and not l.behind
          and l.status not in ('completed', 'failed', 'rejected', 'cancelled', 'entered-in-error')
          and (c.barred or c.version <> l.case_version or l.partner = any(string_to_array(c.unserved, ' ')))
        order by l.ref_no for update of l));
    return null;
end $$;
create trigger legs_behind after update on case_record referencing new table as written
    for each statement execute function mark_legs_behind();

create function begin_behind() returns trigger language plpgsql as $$
begin
    new.behind := exists (
        select from case_record c where c.case_no = new.case_no
        and (c.barred or c.version <> new.case_version or new.partner = any(string_to_array(c.unserved, ' '))));
    return new;
end $$;
create trigger behind_from_the_start before insert on leg for each row execute function begin_behind();
