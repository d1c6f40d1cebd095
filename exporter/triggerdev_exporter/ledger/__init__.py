"""What we know and have counted, for each target: on disk first, then in memory.

The path of a page: records → `Draft` (pure, decides what is new) → `Store.commit` (one transaction) → `Ledger.absorb`.
Memory is never ahead of the disk, and a page is counted whole or not at all.

What is kept and for how long:

* counters and histogram cells: for ever, one row a series;
* open runs, batches and tokens: until they end;
* 64-bit hashes of the ids of everything that ended: `news.HORIZON` (7 days) after the end, on disk only;
* a task: its last end, last success and streak, for ever; schedule slots: two days.

So memory follows open things and series, never history.
"""
