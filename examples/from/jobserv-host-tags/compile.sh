#!/bin/sh
# Stands for a real build.
set -eu
mkdir -p out
echo "firmware for ${MATRIX_MACHINE:-any arm64}" >out/firmware.bin
