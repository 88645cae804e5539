#!/bin/sh
set -eu
echo "there are $(ls | wc -l | tr -d ' ') files"
