// The parts of a multipart/form-data body (RFC 7578), as LangSmith's SDKs write it.

#pragma once

#include <string_view>
#include <vector>

namespace tocsin::vendor {

struct Part {
  std::string_view name;
  std::string_view body;
};

// In order, as views into `body`; none where `content_type` names no boundary or the body does not keep to it.
// At most 65,536 parts; the names are as they are written, without escapes.
std::vector<Part> parts_of(std::string_view content_type, std::string_view body);

}  // namespace tocsin::vendor
