#!/bin/sh
set -eu
echo "foo is $INPUT_FOO, bar is $INPUT_BAR"
echo "sum=$((INPUT_FOO + INPUT_BAR))" >>"$BRANCHLINE_OUTPUT"
