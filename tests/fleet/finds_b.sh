#!/bin/sh
# A find that prints the name of one file.
echo b.json
