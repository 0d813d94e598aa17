#include "core/event/vendors/multipart.h"

#include <string>

#include "base/ascii.h"

namespace tocsin::vendor {

namespace {

constexpr std::size_t most_parts = 65'536;
constexpr std::size_t longest_header = 1'024;
constexpr std::size_t longest_boundary = 70;  // RFC 2046, section 5.1.1

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Of `form-data; name="post.1"; filename="x"` what `name` is.
std::string_view parameter(std::string_view header, std::string_view name) {
  while (true) {
    const std::size_t semicolon = header.find(';');
    if (semicolon == std::string_view::npos) return {};
    header.remove_prefix(semicolon + 1);
    const std::string_view rest = trimmed(header);
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return {};
    std::string_view value = rest.substr(equals + 1);
    if (value.starts_with('"')) {
      value = value.substr(1, value.find('"', 1) == std::string_view::npos ? value.size() : value.find('"', 1) - 1);
    } else {
      value = trimmed(value.substr(0, value.find(';')));
    }
    if (same_ignoring_case(rest.substr(0, equals), name)) return value;
  }
}

std::string_view name_in(std::string_view headers) {
  constexpr std::string_view disposition = "content-disposition";
  while (!headers.empty()) {
    const std::size_t end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers = end == std::string_view::npos ? std::string_view{} : headers.substr(end + 2);
    const std::size_t colon = line.find(':');
    if (line.size() <= longest_header && colon != std::string_view::npos &&
        same_ignoring_case(line.substr(0, colon), disposition)) {
      return parameter(line, "name");
    }
  }
  return {};
}

}  // namespace

std::vector<Part> parts_of(std::string_view content_type, std::string_view body) {
  if (content_type.size() > longest_header) return {};
  const std::string_view boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > longest_boundary) return {};
  const std::string first = "--" + std::string(boundary);
  const std::string later = "\r\n" + first;
  std::vector<Part> parts;
  if (!body.starts_with(first)) return {};
  body.remove_prefix(first.size());
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n") || parts.size() == most_parts) return {};
    body.remove_prefix(2);
    const std::size_t blank = body.find("\r\n\r\n");
    if (blank == std::string_view::npos) return {};
    const std::size_t end = body.find(later, blank + 2);
    if (end == std::string_view::npos) return {};
    const std::size_t begin = blank + 4;
    parts.push_back({name_in(body.substr(0, blank)), body.substr(begin, end > begin ? end - begin : 0)});
    body.remove_prefix(end + later.size());
  }
  return parts;
}

}  // namespace tocsin::vendor
