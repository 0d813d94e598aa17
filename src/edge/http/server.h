// A small HTTP/1.1 server for our own doors: intake, the query API, metrics, long polls of agents.
//
// It speaks keep-alive, pipelining, chunked bodies, HEAD and "Expect: 100-continue"; it speaks no TLS and no
// compression (a proxy in front does). It never logs: what comes in may hold secrets.
//
// What a client may cost is bounded: Options names each bound. A client over one gets an answer where HTTP has
// one (400, 413, 431, 503) and its connection closed; a client that is too slow just gets the latter.

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

namespace tocsin {

struct HttpRequest {
  std::string method;  // as sent, but HEAD arrives as GET: the server itself leaves the body out of the answer
  std::string path;    // as sent, without the query: begins with '/' (or is "*"); see path_segments()
  HttpFields query;    // percent-decoded, '+' as a space; in the order sent
  HttpFields headers;  // names in lower case; in the order sent
  std::string body;    // whole, without its chunking

  // The first value under the name (headers: the name in lower case), during the life of the request.
  std::optional<std::string_view> query_value(std::string_view name) const { return find_field(query, name); }
  std::optional<std::string_view> header(std::string_view name) const { return find_field(headers, name); }

  // The parts between the slashes, each percent-decoded: "/v1/halts/task%3A7" is {"v1", "halts", "task:7"}.
  // A broken escape stays as it is.
  std::vector<std::string> path_segments() const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;    // not sent with 204 and 304, nor to HEAD
  HttpFields headers;  // further ones; any whose name or value cannot stand in a header is left out
};

// The right to answer one request, now or later. Copies share that right.
//
// Thread: any, also after the server has stopped (then send() does nothing). The last copy dropped without
// send() answers 500.
class Responder {
 public:
  // Starts to answer and returns at once. The first call counts, further ones do nothing.
  void send(HttpResponse response) const;

  // True once the client has closed its side, or the server has stopped: nobody waits for the answer any more.
  // A hint for long polls; send() is still allowed. Stays false behind a client that vanished without a word.
  bool abandoned() const;

 private:
  friend class HttpServer;
  struct Ticket;
  explicit Responder(std::shared_ptr<Ticket> ticket) : ticket_(std::move(ticket)) {}
  std::shared_ptr<Ticket> ticket_;
};

class HttpServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";              // an IP address; "0.0.0.0" or "::" for all
    std::uint16_t port = 0;                         // 0: any free one, see port()
    std::size_t max_body_bytes = 16 * 1024 * 1024;  // more: 413
    std::size_t max_header_bytes = 32 * 1024;       // request line and headers; more: 431
    std::size_t max_connections = 512;              // more: 503; idle ones count
    Duration idle_timeout{30'000};                  // between requests; for a whole header; then for a whole body
    Duration write_timeout{30'000};                 // for a whole answer
    int threads = 1;
  };

  // Called on a thread of the server, so it must not block; with several threads, from several at once (never
  // twice at once for one connection). Whatever it throws becomes a 500 without a text.
  using Handler = std::function<void(HttpRequest, Responder)>;

  // Listens from when it returns. The error is one line for people, as "cannot listen on 127.0.0.1:80: ...".
  static Result<std::unique_ptr<HttpServer>, std::string> start(Options options, Handler handler);

  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;

  // Closes the door and every connection, answered or not, and joins: as fast as a running handler returns.
  // Idempotent. Thread: any but the server's own.
  void stop();

 private:
  class Impl;
  class Session;
  friend struct Responder::Ticket;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
