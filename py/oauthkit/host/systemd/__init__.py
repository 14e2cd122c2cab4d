"""What starts the next run: the systemd user manager, the units, a crontab line."""
