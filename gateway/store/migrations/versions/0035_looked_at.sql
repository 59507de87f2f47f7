-- What is kept of whom was called back says more: legs that have ended are looked at, too. It only comments (phase pre).

comment on column leg.recalled is
    'revision of the case at which the leg was called back last; below zero: it was looked at, and nobody had to be told; 0: never';
comment on column case_record.unserved is
    'partners with a leg of this case to whom nothing may go any more, though something may to others';
comment on column case_record.settled is
    'may not be served, or not everywhere, and as it is no leg has to be called back or looked at; any change of it ends that';
