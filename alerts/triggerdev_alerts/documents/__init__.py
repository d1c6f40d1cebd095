"""What a person wrote, read: YAML with the place of every value, quantities with units, mistakes with carets.

The lowest floor of the house: rules and the exporter's config both stand on it. It knows neither.
"""
