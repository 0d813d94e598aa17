// What is configured of the doors for SDKs' uploads.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/http/url.h"

namespace tocsin {

struct ReceiveConfig {
  std::vector<std::string> tokens;                        // any of them opens; none: the doors are open
  std::size_t most_bytes = std::size_t{32} << 20;         // of an upload, uncompressed
  std::size_t most_posted_bytes = std::size_t{16} << 20;  // as it comes: what the HTTP server takes
  std::int64_t most_per_second = 2'000;                   // uploads; over it for two seconds: 429
  std::optional<Url> forward_to;                          // the vendor, which gets each upload as it came
};

}  // namespace tocsin
