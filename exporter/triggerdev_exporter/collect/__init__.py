"""Collectors: each reads one kind of thing from the API, a `step` at a time, and writes it through the journal.

A step is woken by the scheduler and decides by itself what is due. It raises the named errors; `tick` turns them into a
report, a metric and, when things change, a line in the log.
"""
