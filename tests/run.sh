#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all of them: unit tests and end-to-end tests in the release build,
# the unit tests once more under the address and undefined-behaviour sanitizers, and those with threads under the
# thread sanitizer.
#   tests/run.sh            everything
#   tests/run.sh --quick    without the sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install-packages.sh --tests
jobs=$(nproc)

# The layout of the code is .clang-format's, whoever wrote it.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  git ls-files -z '*.cc' '*.h' | xargs -0 clang-format-14 --dry-run -Werror
fi

# Said outright: the quickstart leaves both out, and the cache would remember that.
cmake --preset release -DTOCSIN_TESTS=ON -DTOCSIN_BENCH=ON >/dev/null
cmake --build --preset release

sanitizers=
if [[ "${1:-}" != "--quick" ]]; then
  # End-to-end tests wait more than they work: the sanitizers' builds go on beside them, and make way.
  (
    cmake --preset fuzz >/dev/null
    nice -n 15 cmake --build --preset fuzz --target tocsin_tests tocsin_fuzz -- --quiet
    cmake --preset tsan >/dev/null
    nice -n 15 cmake --build --preset tsan --target tocsin_tests -- --quiet
  ) &
  sanitizers=$!
  trap 'kill "$sanitizers" 2>/dev/null || true' EXIT
fi
ctest --preset release -j "$((jobs + 1))" --no-tests=error

if [[ -n "$sanitizers" ]]; then
  wait "$sanitizers"
  trap - EXIT
  ctest --preset fuzz -j "$jobs" -LE 'end_to_end|simulation' --no-tests=error
  # Threads are in runtime, edge and app; the core has none.
  ctest --preset tsan -j "$jobs" -L threads --no-tests=error
fi
