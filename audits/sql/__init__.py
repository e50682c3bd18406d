"""Rules of the family "sql"."""
