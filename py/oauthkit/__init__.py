"""Keep a live Claude Code access token in a project's .env, and compile Python to bash."""

__version__ = "0.1.0.dev0"
