"""triggerdev-alerts: turns readings into notifications.

Knows no Trigger.dev: it asks a port (`signals`) for numbers and never imports the exporter (a test holds this).
"""
