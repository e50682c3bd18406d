"""What the settings are, what they may be, and what is wrong with them."""
