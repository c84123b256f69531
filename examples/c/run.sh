#!/bin/sh
# Compiles both programs as any others, and runs them on the two simulated hosts: examples/c/run.sh [--nic rtl]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
built="$root/build/examples/c"
mkdir -p "$built"
for name in server client; do
    cc -O2 -Wall -o "$built/$name" "$root/examples/c/$name.c"
done
exec "$root/.venv/bin/fdwire" run "$@" --peer "$built/server" -- "$built/client" hello "from C"
