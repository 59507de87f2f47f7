-- Which months were signed off is asked at every scrape: it must not walk all acts.

create index audit_event_reviewed on audit_event (subject) where act = 'review.signed';
