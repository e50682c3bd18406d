"""Tools: how callables are offered, bounded and called."""
