"""triggerdev-exporter: metrics, spans and alerts for Trigger.dev, seen from outside."""

__version__ = "0.1.0"
__revision__ = ""
"""The commit this was built from; whoever builds a package or an image writes it here."""
