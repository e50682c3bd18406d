"""Reading on in a large answer: ranges, lines, searches, what it looks like."""
