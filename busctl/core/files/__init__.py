"""Files that a call names: which may be read, what they are, and what became of them."""
