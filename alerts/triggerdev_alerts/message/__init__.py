"""What a notification says, in words. Pure: no receiver's syntax, no network, no clock.

`values.py` writes numbers, `words.py` reasons, `template.py` what a person wrote, `compose.py` one alert,
`text.py` the whole as plain text.
"""
