"""Rules of the family "truncation"."""
