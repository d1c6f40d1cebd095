"""Receivers: a file a kind, each with the model of its settings, its text and its way of sending.

`port.py` says what a receiver is; `kinds.py` lists them. A receiver knows neither rules nor the outbox.
"""
