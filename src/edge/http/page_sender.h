// What every receiver over HTTP does alike: POST a body to one address, a bounded number at once, and read what the
// answer means for a page. A receiver adds its headers and its body.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "edge/http/url.h"
#include "ports/receiver.h"

namespace tocsin {

class PageSender {
 public:
  struct Options {
    std::string url;
    Duration timeout{10'000};              // for a whole attempt, from the name look-up to the end of the answer
    std::size_t max_concurrent = 8;        // attempts on the wire; further ones queue
    std::size_t max_queued = 1024;         // beyond: outcome retry at once
    std::string ca_file;                   // PEM, trusted instead of the system's authorities
    std::vector<std::string> allow_cidrs;  // see AddressGuard
    std::function<std::int64_t()> wall_clock_seconds;  // since the epoch; called from any thread
  };

  // The headers of an attempt, asked for when it is sent; `now` in seconds since the epoch. Thread: any.
  using Headers = std::function<HttpFields(const Delivery& delivery, std::int64_t now)>;

  // The error lists everything that is wrong with the options; it quotes CIDRs and the CA file's name, never the URL.
  static Result<std::unique_ptr<PageSender>, std::vector<std::string>> create(const Options& options,
                                                                              Headers headers);

  // Ends what is on the wire or queued with outcome retry, on the sender's thread, and joins.
  ~PageSender();
  PageSender(const PageSender&) = delete;
  PageSender& operator=(const PageSender&) = delete;

  // See Receiver. `done` must not block: the other attempts wait for it. Thread: any.
  //
  // 2xx: delivered. 410: gone. 3xx (never followed), 408, 429, 5xx, time-out, no connection, a certificate or an
  // address refused: retry, with the answer's Retry-After. Any other status: rejected.
  // The status decides as soon as the whole header has come, whatever becomes of the body behind it.
  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done);

  // Answers that this page can never be sent. Thread: any.
  void reject(std::string page_id, std::function<void(DeliveryResult)> done, const char* reason);

 private:
  class Impl;
  explicit PageSender(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
