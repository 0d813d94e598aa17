#include "app/core_dumps.h"

#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

namespace tocsin {

void forbid_core_dumps() {
  const char* const wish = std::getenv("TOCSIN_CORE_DUMPS");
  if (wish != nullptr && std::string_view(wish) == "allow") return;
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // The limit does not hold where the system pipes dumps to a program (core(5)): these have no mapping in them then.
  std::ofstream("/proc/self/coredump_filter") << "0";
}

}  // namespace tocsin
