#!/bin/sh
# A program that hangs. Python itself may run uname -p.
[ "$1" = -p ] || exec sleep 600
