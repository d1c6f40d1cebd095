"""Config: what a person wrote in YAML and the environment, checked whole at the start, frozen afterwards.

`load_config` is the door; everything behind it is total over what people write: it answers with a `Config` or with a
`ConfigError` that holds all mistakes as ready sentences. No state, no network, no clock in here, and nothing of it is
read again later. Secrets leave only as `SecretStr`.
"""

from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.load import Loaded, load_config
from triggerdev_exporter.config.model import Config, Intervals, Log, Quota, Target, Web

__all__ = ["Config", "Intervals", "Listen", "Loaded", "Log", "Quota", "Target", "Web", "load_config"]
