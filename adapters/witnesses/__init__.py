"""How checkpoints reach those who cosign them.

own/    a witness of our own, in its own process and with its own database
"""
