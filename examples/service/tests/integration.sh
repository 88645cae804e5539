#!/bin/sh
# Tests the service whole, with requests as a browser sends them. HITS_LOG names the log (default: the one in tests).
set -eu
cd "$(dirname "$0")/.."
. tests/expect.sh
HITS_LOG=${HITS_LOG:-tests/data/access.log}
export HITS_LOG

ask() { printf '%s\r\nHost: example.org\r\n\r\n' "$1" | bin/hits | tr -d '\r'; }
status() { ask "$1" | sed -n '1s/^HTTP\/1.0 //p'; }
body() { ask "$1" | sed '1,/^$/d'; }

expect "it is healthy" "ok" "$(body 'GET /health HTTP/1.1')"
expect "it lists paths, the most frequent first" "3 /about
2 /
1 /orders" "$(body 'GET /hits HTTP/1.1')"
expect "it counts one path" "3" "$(body 'GET /hits/about HTTP/1.1')"
expect "a path that was never asked for is not found" "404 Not Found" "$(status 'GET /hits/none HTTP/1.1')"
expect "an address it does not have is not found" "404 Not Found" "$(status 'GET /nothing HTTP/1.1')"
expect "it only reads" "405 Method Not Allowed" "$(status 'DELETE /hits HTTP/1.1')"
expect "what is no request is refused" "400 Bad Request" "$(status 'hello')"

HITS_LOG=/no/such/log
expect "without its log it is healthy still" "200 OK" "$(status 'GET /health HTTP/1.1')"
expect "without its log it says so" "503 Service Unavailable" "$(status 'GET /hits HTTP/1.1' 2>/dev/null)"
expect "and says which log, to whoever runs it" "hits: HITS_LOG does not name a log that can be read: '/no/such/log'" \
  "$(ask 'GET /hits HTTP/1.1' 2>&1 >/dev/null)"

finish
