// Which addresses a call may go to, whose URL somebody wrote into a file: so that none points into our own network.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "edge/http/url.h"

namespace tocsin {

// Public unicast addresses, and what an operator allows by CIDR.
//
// Refused otherwise: every special-purpose range of RFC 6890 and its successors (loopback, private, link-local,
// shared (CGNAT), multicast, unspecified, documentation, ...), and IPv6 forms that carry an IPv4 address inside
// (mapped, 6to4, Teredo; NAT64 is judged by the address inside). Thread: any; a value.
class AddressGuard {
 public:
  // "10.1.0.0/16", "fd00::/8"; a bare address means itself alone. Every bad one is reported.
  static Result<AddressGuard, std::vector<std::string>> create(const std::vector<std::string>& allow_cidrs);

  bool allows(const IpAddress& address) const;

 private:
  struct Range {
    IpAddress base;
    int prefix_bits = 0;
  };
  static std::optional<Range> parse_range(std::string_view text);
  static bool contains(const Range& range, const IpAddress& address);
  static bool is_special(const IpAddress& address);
  std::vector<Range> allowed_;
};

}  // namespace tocsin
