"""How checkpoints reach those who cosign them.

http    the way to a witness, one request each
own/    a witness of our own, in its own process and with its own database
"""
