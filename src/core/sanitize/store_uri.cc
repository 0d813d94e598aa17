#include "core/sanitize/store_uri.h"

#include <algorithm>

#include "base/ascii.h"
#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

constexpr std::size_t longest_uri = 1'024;
constexpr std::size_t longest_value = 64;  // longer ones are signatures, policies and tokens

// Parts of the names of parameters: of presigned addresses of Amazon, Google, Azure and others, and of what people
// call their own.
constexpr std::string_view granting[] = {"sig",    "access", "token",  "secret",  "key",   "pass",  "pwd",
                                         "auth",   "cred",   "jwt",    "session", "code",  "hmac",  "x-amz",
                                         "x-goog", "x-oss",  "policy", "user",    "login", "ticket"};

bool grants(std::string_view parameter) {
  const std::size_t equals = parameter.find('=');
  if (equals == std::string_view::npos) return parameter.size() > longest_value;
  const std::string_view name = parameter.substr(0, equals);
  // A name that is written with escapes hides what it is.
  return parameter.size() - equals - 1 > longest_value || name.find('%') != std::string_view::npos ||
         std::any_of(std::begin(granting), std::end(granting),
                     [&](std::string_view part) { return contains_ignoring_case(name, part); });
}

// Where the host begins in what follows "//": behind the last @ of the authority. A password may hold a slash that
// should have been escaped: what follows a colon and is no port is one.
std::size_t host_in(std::string_view rest) {
  const std::string_view authority = rest.substr(0, std::min(rest.find('/'), rest.size()));
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) return at + 1;
  const std::size_t colon = authority.rfind(':');
  const bool has_password = colon != std::string_view::npos && !authority.starts_with('[') &&
                            !std::all_of(authority.begin() + static_cast<std::ptrdiff_t>(colon) + 1, authority.end(),
                                         [](char c) { return is_digit(c); });
  const std::size_t later = rest.find('@');
  return has_password && later != std::string_view::npos ? later + 1 : 0;
}

}  // namespace

std::optional<std::string> without_credentials(std::string_view uri) {
  const auto is_no_name = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (uri.empty() || uri.size() > longest_uri || std::any_of(uri.begin(), uri.end(), is_no_name)) return std::nullopt;
  if (equals_ignoring_case(uri.substr(0, uri.find(':')), "data")) return std::nullopt;

  uri = uri.substr(0, uri.find('#'));
  const std::size_t question = std::min(uri.find('?'), uri.size());
  std::string_view path = uri.substr(0, question), query = uri.substr(question);
  std::string out;
  if (const std::size_t slashes = path.find("//"); slashes != std::string_view::npos) {
    out.append(path.substr(0, slashes + 2));
    path.remove_prefix(slashes + 2);
    path.remove_prefix(host_in(path));
  }
  out.append(path);
  char before = '?';
  while (!query.empty()) {
    query.remove_prefix(1);  // the ?, & or ; before it
    const std::size_t end = std::min(query.find_first_of("&;"), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(end);
    if (parameter.empty() || grants(parameter)) continue;
    out += before;
    out.append(parameter);
    before = '&';
  }
  if (out.empty()) return std::nullopt;
  return out;
}

}  // namespace tocsin
