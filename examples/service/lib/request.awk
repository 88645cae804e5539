# Reads an HTTP request's first line; prints its method and its path without the query. Fails on anything else.
NR == 1 {
  sub(/\r$/, "")
  if (NF != 3 || $1 !~ /^[A-Z]+$/ || $2 !~ /^\// || $3 !~ /^HTTP\/1\.[01]$/) exit
  sub(/\?.*/, "", $2)
  print $1, $2
  understood = 1
  exit
}
END { exit !understood }
