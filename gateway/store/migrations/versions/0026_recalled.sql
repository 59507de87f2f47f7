-- A leg whose owner refuses to stop is open again, and its case may still not be served: it was asked again in the next
-- second, without end. At which revision of the case it was called back is now kept with the leg.
-- This step only adds (phase pre): the release before does not look, and asks as it did.

alter table leg add column recalled integer not null default 0;
comment on column leg.recalled is 'revision of the case at which the leg was called back last; 0: never';
