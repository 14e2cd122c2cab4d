"""What a command of a host raises for a person to read."""

from __future__ import annotations


class HostError(Exception):
    """Raised when something cannot be done; the text says what, and what would help."""


class NoFolderError(HostError):
    """Raised for a folder that the command line names and that is not there: wrong usage."""
