#!/bin/sh
# Greets whom it is told to; how, is said by GREETING.
set -eu
if [ $# -ne 1 ]; then
  echo "usage: greet.sh NAME" >&2
  exit 2
fi
echo "${GREETING:-Hello}, $1!"
