#!/bin/sh
set -eu
echo "published $INPUT_SITE"
