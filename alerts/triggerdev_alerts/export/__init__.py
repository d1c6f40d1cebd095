"""Rules for Prometheus: what our rules are there, with tests that hold them to it. Pure text; nothing is opened here.

`promql.py` writes PromQL, `conditions.py` says how each condition is written (or why it cannot be), `alerting.py` makes
alerts of them, `prometheus.py` documents, `stages.py` and `promtool.py` the tests of those documents.
"""
