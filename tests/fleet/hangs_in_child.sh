#!/bin/sh
# A program that waits for a child that hangs. Python itself may run uname -p.
[ "$1" = -p ] || ! sleep 600
