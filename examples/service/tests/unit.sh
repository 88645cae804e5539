#!/bin/sh
# Tests the awk programs, each by itself.
set -eu
cd "$(dirname "$0")/.."
. tests/expect.sh

request() { printf '%s\r\nHost: example.org\r\n\r\n' "$1" | awk -f lib/request.awk || echo refused; }
count() { printf '%s\n' "$@" | awk -f lib/count.awk | sort; }

expect "a request's method and path are read" "GET /hits" "$(request 'GET /hits HTTP/1.1')"
expect "a query is left out" "GET /hits" "$(request 'GET /hits?a=b HTTP/1.0')"
expect "a request without a version is refused" refused "$(request 'GET /hits')"
expect "a path must be absolute" refused "$(request 'GET hits HTTP/1.1')"
expect "an empty request is refused" refused "$(request '')"

expect "nothing is counted in an empty log" "" "$(count '')"
expect "a line that is no request is left out" "" "$(count 'GET / HTTP/1.1')"
expect "equal paths are counted together" "2 /a" "$(count 'x "GET /a HTTP/1.1" 200 1' 'y "GET /a?q HTTP/1.1" 200 1')"
expect "paths are told apart" "1 /a
1 /b" "$(count 'x "GET /a HTTP/1.1" 200 1' 'x "POST /b HTTP/1.1" 200 1')"

finish
