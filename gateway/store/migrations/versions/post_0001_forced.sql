-- Row-level security holds the owner of the tables to the policies as well. Release 0.1 works as the owner and says no
-- scope, so this step waits until no process of it is left (phase post).

alter table handover_file force row level security;
alter table quarantined_record force row level security;
alter table parked_record force row level security;
alter table case_record force row level security;
alter table case_history force row level security;
alter table screening force row level security;
alter table referral force row level security;
alter table leg force row level security;
alter table message force row level security;
alter table delivery force row level security;
alter table attempt force row level security;
alter table receipt force row level security;
alter table inbox force row level security;
alter table nonce force row level security;
alter table outcome_fact force row level security;
alter table retention_check force row level security;
alter table rtw_update force row level security;
alter table work_item force row level security;
alter table audit_event force row level security;
alter table partner_key force row level security;
