#include "edge/http/address_guard.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tocsin {

namespace {

// The special-purpose registries of IANA, without what may be on the public side of them (NAT64 is judged apart).
constexpr std::array<std::string_view, 15> special_v4{
    "0.0.0.0/8",        // this network, unspecified
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // shared: carrier-grade NAT
    "127.0.0.0/8",      // loopback
    "169.254.0.0/16",   // link-local, with the metadata services of clouds
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.88.99.0/24",   // 6to4 relays, deprecated
    "192.168.0.0/16",   // private
    "198.18.0.0/15",    // benchmarks
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, broadcast
};
constexpr std::array<std::string_view, 12> special_v6{
    "::/96",            // unspecified, loopback, IPv4-compatible
    "::ffff:0:0/96",    // IPv4-mapped
    "::ffff:0:0:0/96",  // IPv4-translated
    "64:ff9b:1::/48",   // local NAT64
    "100::/64",         // discard
    "2001::/23",        // protocol assignments, Teredo
    "2001:db8::/32",    // documentation
    "2002::/16",        // 6to4
    "3fff::/20",        // documentation
    "fc00::/7",         // private
    "fe80::/9",         // link-local, site-local
    "ff00::/8",         // multicast
};
constexpr std::string_view nat64 = "64:ff9b::/96";

}  // namespace

std::optional<AddressGuard::Range> AddressGuard::parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = parse_ip_address(text.substr(0, slash));
  if (!base) return std::nullopt;
  const int whole = base->v6 ? 128 : 32;
  int bits = whole;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (error != std::errc{} || end != number.data() + number.size() || bits < 0 || bits > whole) return std::nullopt;
  }
  return Range{*base, bits};
}

bool AddressGuard::contains(const Range& range, const IpAddress& address) {
  if (range.base.v6 != address.v6) return false;
  for (int bit = 0; bit < range.prefix_bits; bit += 8) {
    const auto at = static_cast<std::size_t>(bit / 8);
    const int ignored = std::max(0, 8 - (range.prefix_bits - bit));
    if ((range.base.bytes[at] >> ignored) != (address.bytes[at] >> ignored)) return false;
  }
  return true;
}

bool AddressGuard::is_special(const IpAddress& address) {
  static const auto ranges = [] {
    std::vector<Range> all;
    for (const std::string_view text : special_v4) all.push_back(parse_range(text).value());
    for (const std::string_view text : special_v6) all.push_back(parse_range(text).value());
    return all;
  }();
  static const Range nat64_range = parse_range(nat64).value();
  if (contains(nat64_range, address)) {
    IpAddress inside;
    std::copy(address.bytes.begin() + 12, address.bytes.end(), inside.bytes.begin());
    return is_special(inside);
  }
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) { return contains(range, address); });
}

Result<AddressGuard, std::vector<std::string>> AddressGuard::create(const std::vector<std::string>& allow_cidrs) {
  AddressGuard guard;
  std::vector<std::string> problems;
  for (const std::string& text : allow_cidrs) {
    const auto range = parse_range(text);
    if (!range) {
      problems.push_back("allow_cidrs: \"" + text + "\" is not a range of addresses: write one as 10.1.0.0/16");
      continue;
    }
    IpAddress first = range->base;
    for (int bit = range->prefix_bits; bit < (first.v6 ? 128 : 32); ++bit)
      first.bytes[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
    if (first != range->base) {
      problems.push_back("allow_cidrs: \"" + text + "\" has bits behind its prefix: write " + to_text(first) + "/" +
                         std::to_string(range->prefix_bits));
      continue;
    }
    guard.allowed_.push_back(*range);
  }
  if (!problems.empty()) return failure(std::move(problems));
  return guard;
}

bool AddressGuard::allows(const IpAddress& address) const {
  return !is_special(address) ||
         std::any_of(allowed_.begin(), allowed_.end(), [&](const Range& range) { return contains(range, address); });
}

}  // namespace tocsin
