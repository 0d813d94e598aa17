#include "edge/http/client.h"

#ifdef __SANITIZE_THREAD__  // g++ warns in each of Asio's fences that the sanitizer does not see it
#pragma GCC diagnostic ignored "-Wtsan"
#endif

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <netdb.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstring>
#include <future>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/ascii.h"

namespace tocsin {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::uint32_t max_header_bytes = 64 * 1024;
constexpr std::size_t read_bytes = 16 * 1024;
constexpr int max_interim_replies = 8;  // 100 and 103 before the reply proper; more is a joke at our expense

// Look-ups that block at once. getaddrinfo cannot be cancelled: behind a dead name server each holds a thread for
// half a minute, so that calls could pile up threads without this bound.
constexpr int max_lookups = 64;

// Names and values that stay one line on the wire.
bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
}

// Collects a reply. Beast parses; this keeps what we want of it, within our bounds.
class ReplyParser final : public http::basic_parser<false> {
 public:
  ReplyParser(HttpOutcome& outcome, std::size_t max_bytes, bool discard, bool is_head)
      : outcome_(outcome), max_bytes_(max_bytes), discard_(discard) {
    header_limit(max_header_bytes);
    // Ours is in keep(). Not boost::none: Beast of Boost 1.74 then finds every body too long.
    body_limit(std::numeric_limits<std::uint64_t>::max());
    eager(true);
    skip(is_head);
  }

  bool over_limit() const { return over_limit_; }

 private:
  using Text = boost::beast::string_view;

  void on_request_impl(http::verb, Text, Text, int, error_code&) override {}
  void on_response_impl(int code, Text, int, error_code&) override { code_ = code; }
  void on_field_impl(http::field, Text name, Text value, error_code&) override {
    fields_.emplace_back(in_lower_case({name.data(), name.size()}), std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {
    if (code_ < 200) return;  // an interim reply, to be followed by another
    outcome_.status = code_;
    outcome_.headers = std::move(fields_);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(Text body, error_code& error) override { return keep(body, error); }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code& error) override { return keep(body, error); }
  void on_finish_impl(error_code&) override {}

  std::size_t keep(Text body, error_code& error) {
    taken_ += body.size();
    if (taken_ > max_bytes_) {
      over_limit_ = true;
      error = make_error_code(http::error::body_limit);
    } else if (!discard_) {
      outcome_.body.append(body.data(), body.size());
    }
    return body.size();
  }

  HttpOutcome& outcome_;
  HttpFields fields_;
  const std::size_t max_bytes_;
  const bool discard_;
  std::size_t taken_ = 0;
  bool over_limit_ = false;
  int code_ = 0;
};

std::string describe(const error_code& error) {
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated)
    return "the connection was closed before the whole reply";
  if (error == asio::error::connection_refused) return "connection refused";
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe) return "the connection was reset";
  return "the connection failed: " + error.message();
}

}  // namespace

// Thread: all of it on the one thread that runs `io`, but for call(), post(), stop() and look_up().
class HttpClient::Impl {
 public:
  class Call;

  // Through this a look-up thread finds back to us, or finds that we are gone. A mutex, because such a thread may
  // come back at any time, even after stop().
  struct Door {
    std::mutex mutex;
    Impl* client = nullptr;
    int lookups = 0;
  };

  Impl() : work_(asio::make_work_guard(io)) { door_->client = this; }

  std::optional<std::string> prepare(const Options& options) {
    error_code error;
    tls.emplace(asio::ssl::context::tls_client);
    tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1);
    tls->set_verify_mode(asio::ssl::verify_peer);
    if (!options.loads_authorities) {
      // Nobody is trusted: a call over TLS fails. Reading the system's authorities takes 30 ms.
    } else if (options.ca_file.empty()) {
      tls->set_default_verify_paths(error);
      if (error) return "cannot load the system's certificate authorities: " + error.message();
    } else {
      tls->load_verify_file(options.ca_file, error);
      if (error) return "cannot load certificates from " + options.ca_file + ": " + error.message();
    }
    thread_ = std::thread([this] { serve(); });
    return std::nullopt;
  }

  void begin(HttpCall call, std::function<void(HttpOutcome)> done);
  std::optional<std::string> look_up(std::uint64_t id, const std::string& host);
  void looked_up(std::uint64_t id, int error, std::vector<IpAddress> addresses);
  void forget(std::uint64_t id) { calls_.erase(id); }

  void stop() {
    const std::lock_guard once(stop_mutex_);
    if (!thread_.joinable()) return;
    asio::post(io, [this] { end_all(); });
    thread_.join();
    const std::lock_guard lock(door_->mutex);
    door_->client = nullptr;
  }

  asio::io_context io{1};
  std::optional<asio::ssl::context> tls;

 private:
  void serve() {
    for (;;) {
      try {
        io.run();
        return;
      } catch (...) {  // a callback threw, or memory ran out: its time-out ends the call, the others go on
      }
    }
  }

  void end_all();

  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::shared_ptr<Door> door_ = std::make_shared<Door>();
  std::unordered_map<std::uint64_t, std::shared_ptr<Call>> calls_;
  std::uint64_t last_id_ = 0;
  bool stopping_ = false;
  std::thread thread_;
  std::mutex stop_mutex_;  // two may want to stop us
};

// One call: look up, connect, shake hands, send and read, each ended by the one timer.
class HttpClient::Impl::Call : public std::enable_shared_from_this<HttpClient::Impl::Call> {
 public:
  Call(Impl& client, std::uint64_t id, HttpCall call, std::function<void(HttpOutcome)> done)
      : client_(client),
        id_(id),
        call_(std::move(call)),
        done_(std::move(done)),
        timer_(client.io),
        attempt_timer_(client.io),
        socket_(client.io) {}

  void start() {
    deadline_ = std::chrono::steady_clock::now() + call_.timeout;
    timer_.expires_at(deadline_);
    timer_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (!cancelled) self->finish("time-out");
    });
    if (!is_one_line(call_.method) || call_.method.empty() || call_.method.find(' ') != std::string::npos)
      return finish("the method is no HTTP method");
    for (const auto& [name, value] : call_.headers)
      if (name.empty() || !is_one_line(name) || name.find(':') != std::string::npos || !is_one_line(value))
        return finish("a header cannot be sent: it holds a line break or a colon in its name");
    if (const auto literal = parse_ip_address(call_.url.host)) return on_addresses(0, {*literal});
    if (auto problem = client_.look_up(id_, call_.url.host)) finish(std::move(*problem));
  }

  void on_addresses(int lookup_error, std::vector<IpAddress> addresses) {
    if (finished_) return;
    if (lookup_error != 0)
      return finish(std::string("the host name cannot be resolved: ") + gai_strerror(lookup_error));
    if (addresses.empty()) return finish("the host name has no address");
    if (call_.may_connect)
      std::erase_if(addresses, [this](const IpAddress& address) { return !call_.may_connect(address); });
    if (addresses.empty()) return finish("the host's address is not one that may be connected to");
    addresses_ = std::move(addresses);
    connect_next();
  }

  void finish(std::string problem) {
    if (finished_) return;
    finished_ = true;
    timer_.cancel();
    attempt_timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
    outcome_.problem = std::move(problem);
    const auto self = shared_from_this();  // the register may hold the last reference
    client_.forget(id_);
    const auto done = std::move(done_);
    done(std::move(outcome_));
  }

 private:
  // Tries the addresses in turn; each gets its even share of the time that is left, so that a dead one leaves some
  // for the next.
  void connect_next() {
    const auto now = std::chrono::steady_clock::now();
    const auto share = (deadline_ - now) / static_cast<std::int64_t>(addresses_.size() - next_address_);
    const IpAddress& address = addresses_[next_address_++];
    tcp::endpoint endpoint;
    if (address.v6) {
      endpoint = {asio::ip::address_v6(address.bytes), call_.url.port};
    } else {
      endpoint = {asio::ip::address_v4({address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]}),
                  call_.url.port};
    }
    error_code ignored;
    socket_.close(ignored);
    attempt_timer_.expires_after(share);
    attempt_timer_.async_wait([self = shared_from_this(), next = next_address_](error_code cancelled) {
      if (cancelled || self->connected_ || self->next_address_ != next || next == self->addresses_.size()) return;
      error_code close_error;
      self->socket_.close(close_error);  // on_connected() goes on to the next
    });
    socket_.async_connect(endpoint, [self = shared_from_this()](error_code error) { self->on_connected(error); });
  }

  void on_connected(error_code error) {
    if (finished_) return;
    if (error || !socket_.is_open()) {
      if (next_address_ < addresses_.size()) return connect_next();
      return finish(describe(error));
    }
    connected_ = true;
    attempt_timer_.cancel();
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    if (!call_.url.secure) return exchange();

    tls_.emplace(socket_, *client_.tls);
    SSL* const ssl = tls_->native_handle();
    const std::string& host = call_.url.host;
    X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int accepted = 0;
    if (parse_ip_address(host)) {
      accepted = X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str());
    } else {                    // SNI is for names only: RFC 6066, 3
      std::string name = host;  // OpenSSL's own macro casts too much, and takes no const
      accepted = X509_VERIFY_PARAM_set1_host(checks, host.data(), host.size()) == 1 &&
                 SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
    }
    if (accepted != 1) return finish("the host cannot be named to TLS");
    tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](error_code handshake_error) {
      self->on_handshake(handshake_error);
    });
  }

  void on_handshake(error_code error) {
    if (finished_) return;
    if (!error) return exchange();
    const auto verified = SSL_get_verify_result(tls_->native_handle());
    if (verified != X509_V_OK)
      return finish(std::string("TLS: the certificate is refused: ") + X509_verify_cert_error_string(verified));
    finish("TLS: the handshake failed: " + error.message());
  }

  // Sends and reads at once: a receiver may answer before it has read everything.
  void exchange() {
    request_ = call_.method + " " + call_.url.target + " HTTP/1.1\r\nHost: " + call_.url.host_header() +
               "\r\nConnection: close\r\n";
    if (!call_.body.empty() || call_.method == "POST" || call_.method == "PUT" || call_.method == "PATCH")
      request_ += "Content-Length: " + std::to_string(call_.body.size()) + "\r\n";
    for (const auto& [name, value] : call_.headers) request_ += name + ": " + value + "\r\n";
    request_ += "\r\n";
    request_ += call_.body;
    call_.body = {};
    // A failed write needs no answer of its own: the read fails too, or brings the reply that explains it.
    const auto written = [self = shared_from_this()](error_code, std::size_t) {};
    if (tls_)
      asio::async_write(*tls_, asio::buffer(request_), written);
    else
      asio::async_write(socket_, asio::buffer(request_), written);
    new_parser();
    read();
  }

  void new_parser() {
    parser_ =
        std::make_unique<ReplyParser>(outcome_, call_.max_reply_bytes, call_.discard_body, call_.method == "HEAD");
  }

  void read() {
    const auto on_bytes = [self = shared_from_this()](error_code error, std::size_t size) {
      self->on_read(error, size);
    };
    if (tls_)
      tls_->async_read_some(asio::buffer(read_buffer_), on_bytes);
    else
      socket_.async_read_some(asio::buffer(read_buffer_), on_bytes);
  }

  void on_read(error_code error, std::size_t size) {
    if (finished_) return;
    total_ += size;
    unparsed_.append(read_buffer_.data(), size);
    error_code parse_error;
    if (!unparsed_.empty()) parse(parse_error);
    if (parser_->is_done()) return finish(outcome_.status != 0 ? "" : "the reply has no end of interim replies");
    if (parse_error) {
      if (!parser_->over_limit()) return finish("the reply is not HTTP: " + parse_error.message());
      return finish(call_.discard_body ? std::string{} : "the reply is too long");
    }
    if (error == asio::error::eof && parser_->got_some()) {  // the end of a body without a length
      parser_->put_eof(parse_error);
      return finish(parse_error ? describe(error) : std::string{});
    }
    if (error) return finish(describe(error));
    // Headers and chunk headers count too; a body in chunks of one byte is six times its size on the wire.
    if (total_ / 8 > call_.max_reply_bytes + max_header_bytes) return finish("the reply is too long");
    read();
  }

  // Feeds what came to the parser, as far as it goes; an interim reply makes way for the next.
  void parse(error_code& error) {
    for (;;) {
      const std::size_t used = parser_->put(asio::buffer(unparsed_), error);
      unparsed_.erase(0, used);
      if (error == http::error::need_more) {
        error = {};
        return;
      }
      if (error) return;
      if (parser_->is_done() && outcome_.status == 0 && ++interim_replies_ <= max_interim_replies) {
        new_parser();
      } else if (used == 0 || parser_->is_done()) {
        return;
      }
      if (unparsed_.empty()) return;
    }
  }

  Impl& client_;
  const std::uint64_t id_;
  HttpCall call_;
  std::function<void(HttpOutcome)> done_;
  HttpOutcome outcome_;
  std::chrono::steady_clock::time_point deadline_;
  asio::steady_timer timer_;
  asio::steady_timer attempt_timer_;
  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  std::vector<IpAddress> addresses_;
  std::size_t next_address_ = 0;
  bool connected_ = false;
  bool finished_ = false;
  std::string request_;
  std::array<char, read_bytes> read_buffer_{};
  std::string unparsed_;
  std::size_t total_ = 0;
  int interim_replies_ = 0;
  std::unique_ptr<ReplyParser> parser_;
};

void HttpClient::Impl::begin(HttpCall call, std::function<void(HttpOutcome)> done) {
  if (stopping_) return done({.status = 0, .headers = {}, .body = {}, .problem = "stopped"});
  const std::uint64_t id = ++last_id_;
  const auto started = std::make_shared<Call>(*this, id, std::move(call), std::move(done));
  calls_.emplace(id, started);
  started->start();
}

// getaddrinfo blocks for as long as it likes. A thread of its own for each look-up keeps a dead name server from
// holding up other calls, and a detached one keeps it from holding up stop().
std::optional<std::string> HttpClient::Impl::look_up(std::uint64_t id, const std::string& host) {
  {
    const std::lock_guard lock(door_->mutex);
    if (door_->lookups >= max_lookups) return "too many name look-ups hang already";
    ++door_->lookups;
  }
  try {
    std::thread([door = door_, id, host] {
      addrinfo hints{};
      hints.ai_socktype = SOCK_STREAM;
      addrinfo* found = nullptr;
      const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
      std::vector<IpAddress> addresses;
      for (const addrinfo* entry = error == 0 ? found : nullptr; entry != nullptr; entry = entry->ai_next) {
        const auto endpoint_address = [&]() -> std::optional<IpAddress> {
          IpAddress address;
          if (entry->ai_family == AF_INET) {
            sockaddr_in v4{};
            std::memcpy(&v4, entry->ai_addr, sizeof v4);
            std::memcpy(address.bytes.data(), &v4.sin_addr, 4);
            return address;
          }
          if (entry->ai_family != AF_INET6) return std::nullopt;
          sockaddr_in6 v6{};
          std::memcpy(&v6, entry->ai_addr, sizeof v6);
          address.v6 = true;
          std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
          return address;
        }();
        if (endpoint_address) addresses.push_back(*endpoint_address);
      }
      if (found != nullptr) freeaddrinfo(found);
      const std::lock_guard lock(door->mutex);
      --door->lookups;
      if (door->client == nullptr) return;
      asio::post(door->client->io, [client = door->client, id, error, addresses = std::move(addresses)]() mutable {
        client->looked_up(id, error, std::move(addresses));
      });
    }).detach();
  } catch (const std::system_error&) {
    const std::lock_guard lock(door_->mutex);
    --door_->lookups;
    return "no thread to look the host name up with";
  }
  return std::nullopt;
}

void HttpClient::Impl::looked_up(std::uint64_t id, int error, std::vector<IpAddress> addresses) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;  // timed out meanwhile
  const auto call = found->second;
  call->on_addresses(error, std::move(addresses));
}

void HttpClient::Impl::end_all() {
  stopping_ = true;
  while (!calls_.empty()) {
    const auto call = calls_.begin()->second;
    call->finish("stopped");
  }
  work_.reset();
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() {
  stop();
}
void HttpClient::stop() {
  impl_->stop();
}
void HttpClient::post(std::function<void()> task) {
  asio::post(impl_->io, std::move(task));
}
void HttpClient::call(HttpCall call, std::function<void(HttpOutcome)> done) {
  asio::post(impl_->io, [impl = impl_.get(), call = std::move(call), done = std::move(done)]() mutable {
    impl->begin(std::move(call), std::move(done));
  });
}

Result<std::unique_ptr<HttpClient>, std::string> HttpClient::create(const Options& options) {
  auto impl = std::make_unique<Impl>();
  try {
    if (auto problem = impl->prepare(options)) return failure(std::move(*problem));
  } catch (const std::exception& error) {  // no thread, or no TLS
    return failure(std::string("cannot start the HTTP client: ") + error.what());
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

Result<HttpReply, std::string> http_call(std::string_view method, std::string_view url, const HttpFields& headers,
                                         std::string body, Duration timeout) {
  auto parsed = parse_url(url);
  if (!parsed) return failure(std::move(parsed).error());
  HttpClient::Options options;
  options.loads_authorities = parsed.value().secure;
  auto client = HttpClient::create(options);
  if (!client) return failure(std::move(client).error());
  HttpCall call;
  call.method = method;
  call.url = std::move(parsed).value();
  call.headers = headers;
  call.body = std::move(body);
  call.timeout = timeout;
  std::promise<HttpOutcome> promise;
  auto future = promise.get_future();
  client.value()->call(std::move(call), [&promise](HttpOutcome outcome) { promise.set_value(std::move(outcome)); });
  HttpOutcome outcome = future.get();
  client.value()->stop();  // before the promise goes
  if (!outcome.problem.empty()) return failure(std::move(outcome.problem));
  return HttpReply{outcome.status, std::move(outcome.body)};
}

}  // namespace tocsin
