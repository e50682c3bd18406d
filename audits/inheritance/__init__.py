"""Rules of the family "inheritance"."""
