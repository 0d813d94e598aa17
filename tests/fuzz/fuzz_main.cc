// One program for all targets, linked once. TOCSIN_FUZZ_TARGET names the target to run; without it they are listed.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "fuzz/target.h"

namespace tocsin::fuzz {

namespace {

Target chosen;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

void must_hold(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace tocsin::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  using namespace tocsin::fuzz;
  std::vector<Target> all;
  for (const auto& some : {event_targets(), rule_targets(), record_targets(), door_targets()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  const char* const name = std::getenv("TOCSIN_FUZZ_TARGET");
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Target& one) { return name && one.name == name; });
  if (found == all.end()) {
    for (const Target& one : all) std::printf("%.*s\n", static_cast<int>(one.name.size()), one.name.data());
    std::exit(name == nullptr ? 0 : 2);
  }
  chosen = *found;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tocsin::fuzz;
  // 50 ms without sanitizers, which take up to twenty times as long.
  constexpr double most_seconds = 1;
  const double begun = processor_seconds();
  chosen.run({reinterpret_cast<const char*>(data), size});
  must_hold(processor_seconds() - begun < most_seconds, "an input takes less than 50 ms (twenty times that here)");
  return 0;
}
