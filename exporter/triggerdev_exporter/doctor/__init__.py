"""`doctor`: is this set up so that it can work? One look at the API, the state, the rules and the receivers.

`examine.py` and `premises.py` look and decide nothing; `checks_*.py` are rows of pure judgements; `report.py` tells.
Nothing is written, sent or counted, and no lock is taken: it may run beside the daemon.
"""
