"""Rules of the family "silent"."""
