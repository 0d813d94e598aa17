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

# End-to-end tests wait more than they work: the sanitizers go on beside them, and their builds make way.
sanitizers=
if [[ "${1:-}" != "--quick" ]]; then
  log=build/sanitizers.log
  echo "the sanitizers' builds and tests go on beside these: $log"
  (
    cmake --preset fuzz
    nice -n 15 cmake --build --preset fuzz --target tocsin_tests tocsin_fuzz
    ctest --preset fuzz -j "$jobs" -LE 'end_to_end|simulation' --no-tests=error
    cmake --preset tsan
    nice -n 15 cmake --build --preset tsan --target tocsin_tests
    # Threads are in edge and runtime; the core has none.
    ctest --preset tsan -j "$jobs" -L threads --no-tests=error
  ) >"$log" 2>&1 &
  sanitizers=$!
  trap 'kill "$sanitizers" 2>/dev/null || true' EXIT
fi
ctest --preset release -j "$((jobs + 1))" --no-tests=error

if [[ -n "$sanitizers" ]]; then
  echo "waiting for the sanitizers"
  if ! wait "$sanitizers"; then
    cat "$log"
    exit 1
  fi
  trap - EXIT
  grep -E "tests passed|Total Test time" "$log"
fi
