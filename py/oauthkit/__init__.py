"""oauthkit keeps the Claude Code access token of a project's .env alive."""

__version__ = "0.1.0.dev0"
