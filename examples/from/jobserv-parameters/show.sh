#!/bin/sh
set -eu
echo "colour=$COLOUR shape=$SHAPE size=${SIZE:-none}"
