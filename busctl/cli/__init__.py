"""One file per command: flags, settings, adapters, operation, rendering, exit code."""
