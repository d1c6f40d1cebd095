"""From readings to alerts: outcomes, the state machine, the instants of evaluation. Pure but for `evaluator.py`."""
