"""The two ways in which servers speak. Pure: requests as values, bytes to records; `probe` tells which is which."""
