"""Report errors in a program: codes, places, messages and suggestions."""
