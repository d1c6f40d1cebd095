"""The edge towards Trigger.dev: requests, budget, dialects. Bytes stop here; records come out."""
