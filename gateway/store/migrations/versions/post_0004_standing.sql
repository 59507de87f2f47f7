-- Who holds a seat is kept from the owner of the tables as well, now that no process of release 0.1.0 is left (phase post).

alter table standing force row level security;
