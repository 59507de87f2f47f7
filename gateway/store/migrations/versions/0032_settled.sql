-- Who may have to be called back was asked of all cases that may not be served, ten times a second, and they become more
-- with every year. Of which of them nobody has to be called back, as they are, is kept; every change of a case ends it,
-- whichever release makes it. This step only adds (phase pre).

alter table case_record add column settled boolean not null default false;
comment on column case_record.settled is
    'may not be served, or not everywhere, and as it is no open leg has to be called back; any change of it ends that';

create function unsettle() returns trigger language plpgsql as $$
begin
    new.settled := false;
    return new;
end $$;
comment on function unsettle is 'a case that has changed may have a leg that has to be called back';
create trigger case_record_unsettle before update on case_record for each row
    when (old.settled and (old.revision, old.version, old.barred, old.unserved, old.judged)
                          is distinct from (new.revision, new.version, new.barred, new.unserved, new.judged))
    execute function unsettle();
