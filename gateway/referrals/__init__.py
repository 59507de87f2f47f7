"""Referrals: the legs of a request, and the one table that says who may do what, when."""
