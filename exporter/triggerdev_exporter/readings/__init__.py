"""What the alerts ask, answered from ledgers and sights: `signals.LedgerSignals` and `witness.LedgerWitness`.

Nothing here asks the API for an answer or changes a ledger; what must be kept so that a window can be answered is
decided in `needs` and kept in `ledger/strips.py`.
"""
