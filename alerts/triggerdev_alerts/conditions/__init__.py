"""Condition types as rows of data: the keys a person may write, the questions asked, the measure taken. Pure.

`keys.py` says what a key is, `measures.py` turns answers into numbers, `catalogue.py` holds the rows.
"""
