// tocsin_simulation --seeds 1-10000        many seeds, with progress
// tocsin_simulation --seed 17 [--trace]    one, with its schedule
// with --hard: many faults in every seed.
// A failure prints its seed, the commit, and which invariant did not hold; the exit status is then 1.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "simulation/simulation.h"

namespace {

using namespace tocsin::sim;

int run_seeds(std::uint64_t first, std::uint64_t last, bool traces, bool is_hard) {
  const auto begin = std::chrono::steady_clock::now();
  auto said = begin;
  Coverage coverage;
  int failures = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    Plan plan = is_hard ? hard_plan_of(seed) : plan_of(seed);
    plan.traces = traces;
    const Outcome outcome = Simulation(plan).run();
    for (const auto& [name, count] : outcome.coverage) coverage[name] += count;
    if (!outcome.failure.empty()) {
      ++failures;
      std::printf("seed %llu FAILED, commit %s: %s\n", static_cast<unsigned long long>(seed), TOCSIN_COMMIT,
                  outcome.failure.c_str());
      std::fflush(stdout);
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - said > std::chrono::seconds{10}) {
      said = now;
      std::printf("%llu of %llu seeds, %d failed, %lld s\n", static_cast<unsigned long long>(seed - first + 1),
                  static_cast<unsigned long long>(last - first + 1), failures,
                  static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(now - begin).count()));
      std::fflush(stdout);
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("seeds %llu-%llu: %d failed, %.1f s\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(last), failures, seconds);
  for (const auto& [name, count] : coverage)
    std::printf("  %-45s %lld\n", name.c_str(), static_cast<long long>(count));
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  bool traces = false, is_hard = false;
  std::uint64_t first = 1, last = 100;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--trace") {
      traces = true;
    } else if (argument == "--hard") {
      is_hard = true;
    } else if (argument == "--seed" && i + 1 < argc) {
      first = last = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--seeds" && i + 1 < argc) {
      char* end = nullptr;
      first = last = std::strtoull(argv[++i], &end, 10);
      if (*end == '-') last = std::strtoull(end + 1, nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: tocsin_simulation [--seeds FIRST-LAST | --seed N] [--hard] [--trace]\n");
      return 2;
    }
  }
  return run_seeds(first, last, traces, is_hard);
}
