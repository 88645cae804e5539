#!/bin/sh
# Stands for `docker build` and `docker push`.
set -eu
test -s "$REGISTRY_PASSWORD"
echo "image of $BRANCHLINE_COMMIT"
