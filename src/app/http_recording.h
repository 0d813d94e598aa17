// Requests that were recorded as lines of JSON, {"path": ..., "headers": {...}, "body_b64": ...}: what `replay`
// takes as --input-format http.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event/upload.h"

namespace tocsin {

inline constexpr std::size_t longest_recording = std::size_t{16} << 20;  // of its uncompressed body

struct HttpRecording {
  std::string method, path, content_type, content_encoding, body;
  std::vector<std::pair<std::string, std::string>> helicone;  // names in lower case

  // Nothing where the line is no such recording.
  static std::optional<HttpRecording> parse(std::string_view line);

  // Calls visit(Upload), whose views are into this.
  template <class Visit>
  void with_upload(Visit visit) const {
    std::vector<std::pair<std::string_view, std::string_view>> headers(helicone.begin(), helicone.end());
    visit(Upload{path, content_type, content_encoding, headers, body});
  }
};

}  // namespace tocsin
