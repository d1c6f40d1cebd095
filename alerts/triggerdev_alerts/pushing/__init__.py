"""Pushing: alerts are asserted at receivers that hold state themselves, again and again. Letters are `outbox/`'s.

`assertions.py` says what is to be asserted, `pusher.py` does it, `build.py` opens all pushers of a rule set.
"""
