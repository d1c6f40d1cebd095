"""triggerdev-exporter: metrics, spans and alerts for Trigger.dev, seen from outside."""

__version__ = "0.1.0"
