"""Showing, searching and reading parts of a payload in bounded memory."""
