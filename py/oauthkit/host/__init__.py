"""The operator's commands. Each loads only the libraries that it needs."""
