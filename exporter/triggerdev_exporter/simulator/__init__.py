"""A fake Trigger.dev: a world in which runs, queues and deployments live, and a server that tells of it over HTTP.

It ships with the package (`demo` and `simulate` use it) and is what our own tests talk to. Nothing here may import the
exporter's own reading of the API (`api/`, `ledger/`, `metrics/`): the truth told here is computed apart from it.

::

    scenario ─► world ◄─ life           what happens, by seed and by script
                  ▲
    truth ────────┤                     every counter, recomputed from all entities
                  │
    trigger_api, seed_api ◄─ server     the two dialects, behind one gate (auth, limits, faults)
"""
