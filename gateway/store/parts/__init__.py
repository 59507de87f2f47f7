"""The parts of a unit of work, one for each protocol of `ports`: rows in, rows out, nothing is decided here.

The statements of a part stand in the file of `sql/` that has its name.
"""
