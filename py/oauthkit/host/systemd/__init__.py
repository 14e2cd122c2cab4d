"""The systemd user manager, the units that install writes, and the crontab."""
