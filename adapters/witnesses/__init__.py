"""How checkpoints reach those who cosign or time stamp them.

http    the way to a witness, one request each
stamps  the way to a time stamping authority
own/    a witness of our own, in its own process and with its own database
"""
