"""One file per thing an operator does: ports in, a value or a Report out."""
