"""What is shown on /metrics: families as rows of data, and the page made of them. A scrape never asks the API."""
