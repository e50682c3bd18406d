"""The audit rules: one mistake per file, loaded through the entry point group."""
