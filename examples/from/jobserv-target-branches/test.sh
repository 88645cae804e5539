#!/bin/sh
# Stands for the unit tests.
set -eu
echo "the $SUITE suite passed"
