"""`busctl bench`: what the bus costs, beside a plain INSERT and SELECT in the same run."""
