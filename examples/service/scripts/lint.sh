#!/bin/sh
# Checks that every program can be parsed, and that no line ends in blanks.
set -eu
cd "$(dirname "$0")/.."
wrong=0

for file in bin/hits scripts/*.sh tests/*.sh; do
  sh -n "$file" || wrong=1
done
for file in lib/*.awk; do
  # An awk program is only parsed when it is run; END may well exit with 1 on no input, but 2 is a program that is wrong.
  status=0
  awk -f "$file" </dev/null >/dev/null || status=$?
  if [ "$status" -gt 1 ]; then wrong=1; fi
done
if grep -n '[[:blank:]]$' bin/hits lib/*.awk scripts/*.sh tests/*.sh; then
  echo "these lines end in blanks" >&2
  wrong=1
fi
exit "$wrong"
