#include "edge/http/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace tocsin {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_visible(char c) {
  return c > ' ' && c <= '~';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_host_name(std::string_view host) {
  // 253 bytes is the longest name that DNS can carry. Underscores are no host names, but people use them.
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

std::string Url::host_header() const {
  std::string header = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (secure ? 443 : 80)) header += ":" + std::to_string(port);
  return header;
}

Result<Url, std::string> parse_url(std::string_view text) {
  const auto refuse = [](const char* why) { return failure(std::string(why)); };
  if (!std::all_of(text.begin(), text.end(), is_visible))
    return refuse("the URL holds a space, a control character or a byte beyond ASCII: percent-encode it");
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return refuse("the URL has no scheme: begin with http:// or https://");
  const std::string scheme = in_lower_case(text.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return refuse("the URL's scheme is neither http nor https");

  Url url;
  url.secure = scheme == "https";
  url.port = url.secure ? 443 : 80;
  std::string_view rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t authority_end = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, authority_end);
  std::string_view target = authority_end == std::string_view::npos ? std::string_view{} : rest.substr(authority_end);
  if (authority.find('@') != std::string_view::npos)
    return refuse("the URL holds a user name or a password: set a header instead");

  std::string_view port;
  bool has_port = false;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return refuse("the URL's IPv6 address has no closing bracket");
    const std::string_view inside = authority.substr(1, close - 1);
    const auto address = parse_ip_address(inside);
    if (!address || !address->v6) return refuse("what the URL has in brackets is not an IPv6 address");
    url.host = in_lower_case(inside);
    authority.remove_prefix(close + 1);
    if (!authority.empty()) {
      if (authority.front() != ':') return refuse("the URL has text between its IPv6 address and its path");
      has_port = true;
      port = authority.substr(1);
    }
  } else {
    const std::size_t colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
    const std::string_view host = authority.substr(0, colon);
    if (host.empty()) return refuse("the URL has no host");
    if (!is_host_name(host)) return refuse("the URL's host name holds a character that host names do not have");
    url.host = in_lower_case(host);
  }
  if (has_port) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65'535)
      return refuse("the URL's port is not a number from 1 to 65535");
    url.port = static_cast<std::uint16_t>(number);
  }
  url.target = target.empty() || target.front() != '/' ? "/" + std::string(target) : std::string(target);
  return url;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

std::optional<HttpFields> parse_query(std::string_view query) {
  HttpFields fields;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value =
        percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    fields.emplace_back(std::move(*name), std::move(*value));
  }
  return fields;
}

std::optional<std::string_view> find_field(const HttpFields& fields, std::string_view name) {
  for (const auto& [field_name, value] : fields)
    if (field_name == name) return std::string_view(value);
  return std::nullopt;
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  const std::string terminated(text);  // inet_pton wants a C string; a NUL inside would cut it short
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address.v6 = true;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string to_text(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(), static_cast<socklen_t>(text.size()));
  return text.data();
}

}  // namespace tocsin
