"""oauthkit doctor: all checks of a host and a project."""
