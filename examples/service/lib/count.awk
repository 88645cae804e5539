# Counts the paths of an access log in the Common Log Format; prints "count path". What is no such line is left out.
match($0, /"[A-Z]+ [^ "]+ HTTP\/[0-9.]+"/) {
  split(substr($0, RSTART + 1, RLENGTH - 2), request, " ")
  sub(/\?.*/, "", request[2])
  hits[request[2]]++
}
END { for (path in hits) print hits[path], path }
