"""Check a host and a project (oauthkit doctor)."""
