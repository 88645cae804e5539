#!/bin/sh
# Stands for what takes a while.
set -eu
echo "worked on $1"
