"""How the rules do on labelled code of published packages."""
