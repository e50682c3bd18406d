"""Results, servers and clients of the Model Context Protocol."""
