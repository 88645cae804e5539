#!/bin/sh
# Stands for the tasks of another project.
set -eu
case $1 in
    pull) echo "the compiler is up to date" ;;
    install)
        mkdir -p out
        printf '#!/bin/sh\necho "<p>compiled $*</p>"\n' >out/compile
        chmod +x out/compile
        ;;
esac
