"""Keep a live Claude Code access token in a project's .env; compile Python to bash."""

__version__ = "0.1.0.dev0"
