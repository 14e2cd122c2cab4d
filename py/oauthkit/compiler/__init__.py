"""The compiler: from a program in the dialect to a bash script."""
