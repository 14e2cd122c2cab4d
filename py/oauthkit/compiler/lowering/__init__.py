"""Lower the typed IR to the bash AST."""
