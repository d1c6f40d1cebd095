"""A fake Trigger.dev: a world in which runs, queues and deployments live, and a server that tells of it over HTTP.

It ships with the package (`demo` and `simulate` use it) and is what our own tests talk to. Nothing here may import the
exporter's own reading of the API (`api/`, `ledger/`, `metrics/`): the truth told here is computed apart from it.

Tests write stories with it::

    async with start_simulator(profile="seed", clock=ScaledClock(speed=0, start=at)) as simulator:
        run = simulator.world.add_run(task="send-email", status="FAILED", finished_at=at + 5_000)
        simulator.faults.on("runs", status=500, times=2)
        simulator.scaled.set(now=at + 10_000)
        ...                                     # GET simulator.url + "/api/v1/runs", with any key tr_prod_…
        truth(simulator.world, at, at + 10_000)["triggerdev_runs_finished_total"]

How it hangs together::

    scenario ─► world ◄─ life           what happens, by seed and by script
                  ▲
    truth ────────┤                     every counter, recomputed from all entities
                  │
    trigger_api, seed_api ◄─ server     the two dialects, behind one gate (auth, limits, faults)
                               ▲
                    control ◄─ app      what tests hold it by, beside it
"""
