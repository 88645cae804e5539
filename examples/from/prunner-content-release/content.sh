#!/bin/sh
# Stands for the commands of a content management system.
set -eu
echo "$INPUT_RELEASE: $*"
