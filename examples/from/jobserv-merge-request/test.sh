#!/bin/sh
# Stands for the unit tests.
set -eu
ls /var/cache/wheels
