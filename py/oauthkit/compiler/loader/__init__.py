"""Find and parse the files of a program."""
