"""The gateway as a server of the Model Context Protocol. Here alone is the SDK's server side known;
importing it takes about a second, so that happens when the first client has come."""
