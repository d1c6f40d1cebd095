"""`python -m triggerdev_exporter`, and the console script: the command line, and how errors end it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a mistake of ours is a sentence and an exit code, never a traceback."""
    from triggerdev_alerts.errors import AlertsError, RulesError
    from triggerdev_exporter.cli import cli, with_default
    from triggerdev_exporter.errors import ConfigError, ExporterError

    try:
        cli(with_default(sys.argv[1:]), prog_name="triggerdev-exporter")
    except (ConfigError, RulesError) as error:
        for mistake in error.mistakes:
            sys.stderr.write(mistake.rstrip("\n") + "\n")
        sys.exit(error.exit_code)
    except (ExporterError, AlertsError) as error:
        # One line, also where SQLite or the system tells something in several.
        sys.stderr.write(f"triggerdev-exporter: {' '.join(str(error).splitlines())}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
