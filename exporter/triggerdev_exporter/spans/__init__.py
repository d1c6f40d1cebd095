"""Spans: every tree of runs as one trace.

``due`` is what the ledger keeps of a run that ended until its spans are accepted; ``plan`` makes spans of it, purely;
``encode`` makes OTLP of spans; ``sender`` sends them and reads the answer. A span is a function of the row and of the
configuration alone, so that whatever is sent twice is the same to the byte.
"""
