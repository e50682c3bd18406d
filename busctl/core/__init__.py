"""Values and decisions: told the time, given the bytes; no clock, environment, socket or thread."""
