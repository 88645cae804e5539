#!/bin/sh
# Makes the report with the compiler that is named.
set -eu
mkdir -p html
"$1" "$REPORT_OPTIONS" >html/index.html
cat html/index.html
