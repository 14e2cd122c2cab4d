"""Refresh the token: the program, in the subset of Python that oauthkit compiles to bash."""
