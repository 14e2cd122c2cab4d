"""The commands install, run and watch, with notifications and NanoClaw's IPC directory."""
