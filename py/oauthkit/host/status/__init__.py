"""oauthkit status: read the state of a token, and show it."""
