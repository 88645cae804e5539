# Read by the tests: `expect WHAT EXPECTED ACTUAL` compares, `finish` says how it went and is the last command.
wrong=0
compared=0

expect() {
  compared=$((compared + 1))
  if [ "$2" = "$3" ]; then
    echo "ok: $1"
  else
    echo "FAILED: $1"
    echo "  expected: $2"
    echo "  actual:   $3"
    wrong=$((wrong + 1))
  fi
}

finish() {
  echo "$compared compared, $wrong wrong"
  [ "$wrong" -eq 0 ]
}
