"""The outbox: what was decided to be told, until it was. Decisions are pure; `store.py` and `courier.py` do I/O."""
