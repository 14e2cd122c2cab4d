"""Analyze a program: from Python's AST to the typed IR."""
