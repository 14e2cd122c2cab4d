"""The other commands of a host, with what they use: git, and NanoClaw's IPC directory."""
