// Addresses of HTTP: URLs, percent encoding, query strings, IP addresses. Text in, values out; no network.
//
// Shared by the server (query strings), the client and the webhook. Thread: any, everything here is a value.
// Errors never quote the URL: paths and user names of webhooks are often secrets.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tocsin {

// Names and values in the order of the wire; a name may occur more than once.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct Url {
  bool secure = false;       // https
  std::string host;          // lower case; an IPv6 address without its brackets
  std::uint16_t port = 80;   // 443 by default with https
  std::string target = "/";  // path and query as written, without the fragment; begins with '/'

  // What the Host header says: IPv6 in brackets, the port only where it is not the scheme's own.
  std::string host_header() const;
};

// An absolute http or https URL. Refused: other schemes, user names and passwords, white space and control
// characters, bytes beyond ASCII (write them percent-encoded), port 0.
Result<Url, std::string> parse_url(std::string_view text);

// "%41" to "A"; with `plus_is_space`, '+' to ' ', as forms and query strings have it. Nothing for a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// Everything but letters, digits and "-._~" as %XX: good for a path segment and for a query value.
std::string percent_encode(std::string_view text);

// "a=1&b=x%20y&c" to its pairs; "c" has an empty value. Nothing for a broken escape.
std::optional<HttpFields> parse_query(std::string_view query);

// The first value under a lower-case name, as HttpFields of requests and replies hold them.
std::optional<std::string_view> find_field(const HttpFields& fields, std::string_view name);

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // network order; the first four for IPv4

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// Dotted quads and RFC 4291 texts only; no brackets, no zone, no "127.1".
std::optional<IpAddress> parse_ip_address(std::string_view text);

std::string to_text(const IpAddress& address);

}  // namespace tocsin
