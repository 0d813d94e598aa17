// Pages to a receiver over HTTP, signed as Standard Webhooks has it.
//
// POST of the page's JSON with webhook-id (the page id, the same over all attempts), webhook-timestamp and
// webhook-signature. A webhook's URL is data that somebody wrote into a file: before connecting, every address of
// its host is checked, so that it cannot point into our own network.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "edge/http/url.h"
#include "ports/receiver.h"

namespace tocsin {

// Which addresses a webhook may be sent to: public unicast ones, and what an operator allows by CIDR.
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

// Delay that a Retry-After header asks for, never negative, at most a year: seconds, or a date in the form that HTTP
// prefers ("Sun, 06 Nov 1994 08:49:37 GMT"). Nothing when it is neither. `now` in seconds since the epoch.
std::optional<Duration> parse_retry_after(std::string_view text, std::int64_t now);

class WebhookReceiver final : public Receiver {
 public:
  struct Options {
    std::string url;
    std::vector<std::string> secrets;      // `whsec_<base64>` or raw; a second one while they are rotated
    Duration timeout{10'000};              // for a whole attempt, from the name look-up to the end of the answer
    std::size_t max_concurrent = 8;        // attempts on the wire; further ones queue
    std::size_t max_queued = 1024;         // beyond: outcome retry at once
    std::string ca_file;                   // PEM, trusted instead of the system's authorities
    std::vector<std::string> allow_cidrs;  // see AddressGuard
    std::function<std::int64_t()> wall_clock_seconds;  // since the epoch; called from any thread
  };

  // The error lists everything that is wrong with the options; it quotes CIDRs and the CA file's name, never the
  // URL or a secret.
  static Result<std::unique_ptr<WebhookReceiver>, std::vector<std::string>> create(Options options);

  // Ends what is on the wire or queued with outcome retry, on the receiver's thread, and joins.
  ~WebhookReceiver() override;

  // See Receiver. `done` must not block: the other attempts wait for it. Thread: any.
  //
  // 2xx: delivered. 410: gone. 3xx (never followed), 408, 429, 5xx, time-out, no connection, a certificate or an
  // address refused: retry. Any other status, and a page id that cannot stand in a header: rejected.
  // The status decides as soon as the whole header has come, whatever becomes of the body behind it.
  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) override;

 private:
  class Impl;
  explicit WebhookReceiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
