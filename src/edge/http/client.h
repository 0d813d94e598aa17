// HTTP/1.1 calls to others: http_call() for our command line, HttpClient for what must not wait (webhooks).
//
// One connection a call, no redirects followed, no proxies, no compression. TLS 1.2 or later, with the peer's
// certificate and its name checked.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "edge/http/url.h"

namespace tocsin {

struct HttpReply {
  int status = 0;
  std::string body;
};

// Calls and waits for the whole reply, of at most 64 MiB; any status is a reply. `timeout` bounds everything from
// the name look-up on. Host, Content-Length and Connection are added. The error is one line for people, without
// the URL. Thread: any; it blocks.
Result<HttpReply, std::string> http_call(std::string_view method, std::string_view url, const HttpFields& headers,
                                         std::string body, Duration timeout);

struct HttpCall {
  std::string method = "GET";
  Url url;
  HttpFields headers;  // further ones than Host, Content-Length and Connection
  std::string body;
  Duration timeout{10'000};  // for everything from the name look-up on
  std::size_t max_reply_bytes = 64 * 1024 * 1024;
  bool discard_body = false;  // reads max_reply_bytes at most and keeps none; a longer body is then no problem
  // Asked about every address of the host: the call connects to none that it refuses. Empty: any will do.
  std::function<bool(const IpAddress&)> may_connect;
};

struct HttpOutcome {
  int status = 0;      // 0: no whole header came
  HttpFields headers;  // names in lower case
  std::string body;
  std::string problem;  // empty when the whole reply came; for people, never a byte of the URL or of the reply
};

// Makes calls on one thread of its own, as many at once as it is given.
class HttpClient {
 public:
  struct Options {
    std::string ca_file;            // PEM; trusted instead of the system's authorities
    bool loads_authorities = true;  // false where no call is over TLS
  };
  static Result<std::unique_ptr<HttpClient>, std::string> create(const Options& options);

  ~HttpClient();  // stop()
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Starts a call and returns at once; `done` is called exactly once, on the client's thread, and must not block.
  // Thread: any. Requires: stop() has not returned (while it runs, further calls end at once).
  void call(HttpCall call, std::function<void(HttpOutcome)> done);

  // Runs `task` on the client's thread, after what was posted before. Thread and requirement as for call().
  void post(std::function<void()> task);

  // Ends every call with the problem "stopped" and joins. A name look-up that hangs does not hold it up (a detached
  // thread waits for it). Idempotent. Thread: any but the client's own.
  void stop();

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
