#!/usr/bin/env bash
# From a fresh Debian 12 to pages and a halt: installs what is needed, builds, and runs the demo.
#   deploy/quickstart.sh          the service stays up afterwards; Ctrl-C stops it
#   deploy/quickstart.sh --once   ends by itself
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install-packages.sh
began=$SECONDS
cmake --preset release -DTOCSIN_TESTS=OFF -DTOCSIN_BENCH=OFF >/dev/null
cmake --build --preset release --target tocsin
echo "built in $((SECONDS - began)) s" >&2

agent=()
if command -v python3 >/dev/null; then agent=(--agent "python3 deploy/obey.py"); fi
exec build/release/tocsin demo "${agent[@]}" "$@"
