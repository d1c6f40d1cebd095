"""What we serve: the page for Prometheus, the probes for Kubernetes, a page for people. Nothing here asks the API."""
