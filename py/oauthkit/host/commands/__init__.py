"""The commands install, run, watch and adopt, with git and NanoClaw's IPC directory."""
