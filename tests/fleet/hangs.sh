#!/bin/sh
# A program that hangs.
exec sleep 600
