"""Delivery: bringing one message across. What an answer means, and when to try again.

judge      what a partner's answer means for the message and for the partner's line
schedule   when the next attempt is due
hours      when a partner takes messages, and the days on which nobody works
breaker    when a partner's line is left alone, and when it is probed
"""
