"""Errors that the operator's commands report."""

from __future__ import annotations


class HostError(Exception):
    """Raised when a command cannot continue. The text says what is wrong and how to fix it."""


class UsageError(HostError):
    """Raised for a usage error: the command line names a directory that does not exist."""
