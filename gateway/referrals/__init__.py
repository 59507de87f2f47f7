"""Referrals: the request, its legs, and the one table that says who may do what, when."""
