"""Read the state of a token, and show it (oauthkit status)."""
