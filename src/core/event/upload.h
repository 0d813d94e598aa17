// What an SDK posts to a door: the request as far as decoding it needs.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace tocsin {

struct Upload {
  std::string_view path;              // with or without a query
  std::string_view content_type;      // as the header says; empty: none
  std::string_view content_encoding;  // the same
  // Those of Helicone, whose requests say in headers what they are part of; names in lower case,
  // "helicone-session-id".
  std::span<const std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
};

// Whether a header, by its name in lower case, says what an upload is part of. What it is opened with does not.
inline bool is_part_of_upload(std::string_view header) {
  return header.starts_with("helicone-") && header != "helicone-auth";
}

// Whose uploads come to a path.
enum class Door : std::uint8_t {
  none,
  native,  // one event, or one a line
  otlp,
  langfuse,
  langsmith_batch,
  langsmith_multipart,
  langsmith_run,
  langsmith_feedback,
  datadog_traces,  // v0.4
  datadog_traces_v05,
  datadog_llmobs,
  helicone,
};
Door door_of(std::string_view path);

}  // namespace tocsin
