"""The variables of the configuration by subject, as `.env.example` shows them."""
