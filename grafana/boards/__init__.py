"""The dashboards as code: each a module of plain records, and one that writes Grafana's classic JSON of them.

A development tool: the wheel carries the JSON alone.
"""
