"""The bash AST, its rewrites and its text."""
