"""What happened, as data: stories for `rules test`, spans of the past for `rules replay`, recordings of live sessions.

The signals here are the reference: brute force, straight from the definitions. Nothing here asks a clock or a network.
"""
