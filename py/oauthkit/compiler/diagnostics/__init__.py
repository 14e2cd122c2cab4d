"""Report errors in a program: codes, locations, messages and suggestions."""
