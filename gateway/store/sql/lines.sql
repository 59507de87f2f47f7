-- The lines to partners: breakers and gates.

-- name: hold_line^
select partner, breaker, why, failures, probes, due_at, recent, at_once, slow_until, gate, gate_reason, gate_by, gate_at,
       clock_timestamp()
from partner_line where partner = :partner for update;

-- name: add_line!
insert into partner_line (partner) values (:partner) on conflict do nothing;

-- name: save_line!
update partner_line set breaker = :breaker, why = :why, failures = :failures, probes = :probes, due_at = :due_at,
       recent = :recent, at_once = :at_once, slow_until = :slow_until, gate = :gate, gate_reason = :gate_reason, gate_by = :gate_by, gate_at = :gate_at
where partner = :partner;

-- name: take_probe!
-- Whoever comes second finds that nothing is due any more: he has waited for the first one's commit.
update partner_line set breaker = 'half-open', due_at = clock_timestamp() + make_interval(secs => :lease_s)
where partner = :partner and gate = 'open' and breaker <> 'closed' and due_at <= clock_timestamp();

-- name: hold_slow_line$
-- Who claims on a line that goes slowly waits for whoever else does, and counts after him.
select at_once from partner_line
where partner = :partner and gate = 'open' and breaker = 'closed' and slow_until > now() for update;

-- name: all_lines
select partner, breaker, why, failures, probes, due_at, recent, at_once, slow_until, gate, gate_reason, gate_by, gate_at
from partner_line order by partner;

-- name: stopped$
select exists (select 1 from partner_line where partner = :partner and gate = 'stopped');
