#!/bin/sh
# Makes dist/hits-VERSION.tar.gz, and tries what is in it.
set -eu
cd "$(dirname "$0")/.."
version=$(cat VERSION)
name="hits-$version"

rm -rf dist
mkdir -p "dist/$name"
cp -R bin lib README.md VERSION "dist/$name/"
(cd dist && tar -cf - "$name" | gzip -9 >"$name.tar.gz" && rm -r "$name")

mkdir dist/trial
gzip -dc "dist/$name.tar.gz" | (cd dist/trial && tar -xf -)
printf 'GET /health HTTP/1.0\r\n\r\n' | "dist/trial/$name/bin/hits" | grep -qx ok
rm -r dist/trial

(cd dist && cksum "$name.tar.gz" | tee "$name.tar.gz.cksum")
