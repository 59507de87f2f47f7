"""Delivery: bringing one message across. What an answer means, when to try again, and what states that leaves.

judge      what a partner's answer means for the message and for the partner's line
schedule   when the next attempt is due
hours      when a partner takes messages, and the days on which nobody works
breaker    when a partner's line is left alone, and when it is probed
states     the states of a delivery, as a table of moves
"""
