#include "edge/http/server.h"

#ifdef __SANITIZE_THREAD__  // g++ warns in each of Asio's fences that the sanitizer does not see it
#pragma GCC diagnostic ignored "-Wtsan"
#endif

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "base/ascii.h"

namespace tocsin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// How long a connection that we end may go on sending before we close it: closing at once would make the
// kernel reset it, and the client would lose the answer that says why.
constexpr std::chrono::milliseconds linger_time{1'000};

// Connections over the cap that are being told so; beyond these we close without a word.
constexpr std::size_t max_refusals = 64;

// After an accept failed for want of descriptors or memory.
constexpr std::chrono::milliseconds accept_pause{100};

// Beyond the header the buffer holds what one read brought of the body, and chunk headers.
constexpr std::size_t body_read_bytes = 64 * 1024;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2: token
  if (name.empty()) return false;
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) &&
        marks.find(c) == std::string_view::npos)
      return false;
  return true;
}

bool is_header_value(std::string_view value) {
  for (const char c : value)
    if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7f) return false;
  return true;
}

}  // namespace

std::vector<std::string> HttpRequest::path_segments() const {
  std::vector<std::string> segments;
  std::string_view rest = path;
  while (!rest.empty() && rest.front() == '/') {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    if (end == rest.size() && rest.empty()) break;  // a slash at the end opens no segment
    const std::string_view segment = rest.substr(0, end);
    segments.push_back(percent_decode(segment).value_or(std::string(segment)));
    rest.remove_prefix(end);
  }
  return segments;
}

// One connection. Thread: everything but the constructor on the strand of its stream.
//
// Kept alive by its pending operations and by the server's register, so that it is still there while a long
// poll waits without any operation.
class HttpServer::Session : public std::enable_shared_from_this<HttpServer::Session> {
 public:
  Session(Impl& server, tcp::socket socket, bool refused);
  ~Session() { client_gone_->store(true, std::memory_order_relaxed); }

  void start();
  void respond(HttpResponse response);
  asio::any_io_executor executor() { return stream_.get_executor(); }

 private:
  using Parser = http::request_parser<http::string_body>;

  void read_header();
  void on_header(error_code error);
  void read_body();
  void on_request(error_code error);
  void hand_over();
  void watch_for_departure();
  void refuse(error_code error);
  void respond_and_close(int status);
  void write(HttpResponse response);
  void on_written(error_code error);
  void linger();
  void drain();
  void close();

  Impl& server_;        // outlives the io_context, and with it every session
  const bool refused_;  // over the cap
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::array<char, 4096> drained_{};
  unsigned version_ = 11;
  bool head_only_ = false;
  bool keep_alive_ = false;
  bool awaiting_answer_ = false;
  bool watching_ = false;
  // Shared with the Responder of the request at hand, which may ask from any thread and outlive us. Relaxed:
  // a hint that orders nothing.
  std::shared_ptr<std::atomic<bool>> client_gone_ = std::make_shared<std::atomic<bool>>(false);
};

class HttpServer::Impl {
 public:
  // What Responders reach the server through. A mutex because they may come from any thread while stop() runs.
  struct Gate {
    std::mutex mutex;
    bool open = true;
  };

  Impl(Options options_in, Handler handler_in)
      : options(std::move(options_in)), handler(std::move(handler_in)), io(std::make_unique<asio::io_context>()) {}

  std::optional<std::string> listen() {
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    const std::string where = options.address + ":" + std::to_string(options.port);
    if (error) return "cannot listen on " + where + ": the address is not an IP address";
    const tcp::endpoint endpoint(address, options.port);
    acceptor.emplace(*io);
    acceptor->open(endpoint.protocol(), error);
    if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error) return "cannot listen on " + where + ": " + error.message();
    port = acceptor->local_endpoint(error).port();
    pause.emplace(*io);
    return std::nullopt;
  }

  void run() {
    accept();
    for (int i = 0; i < std::max(1, options.threads); ++i) threads.emplace_back([this] { serve(); });
  }

  void stop() {
    const std::lock_guard once(stop_mutex);
    {
      const std::lock_guard lock(gate->mutex);
      gate->open = false;
    }
    if (io == nullptr) return;
    io->stop();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    sessions.clear();
    pause.reset();
    acceptor.reset();
    io.reset();  // drops what pending operations hold: the sessions, and with them their sockets
  }

  void remove(const std::shared_ptr<Session>& session, bool refused) {
    const std::lock_guard lock(sessions_mutex);
    if (sessions.erase(session) == 1 && refused) --refusals;
  }

  const Options options;
  const Handler handler;
  const std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::unique_ptr<asio::io_context> io;
  std::uint16_t port = 0;

 private:
  void serve() {
    for (;;) {
      try {
        io->run();
        return;
      } catch (...) {  // memory ran out inside an operation: that connection is lost, the others go on
      }
    }
  }

  void accept() {
    acceptor->async_accept(asio::make_strand(*io), [this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        pause->expires_after(accept_pause);
        pause->async_wait([this](error_code cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      admit(std::move(socket));
      accept();
    });
  }

  void admit(tcp::socket socket) {
    bool refused = false;
    std::shared_ptr<Session> session;
    try {
      const std::lock_guard lock(sessions_mutex);
      refused = sessions.size() - refusals >= options.max_connections;
      if (refused && refusals >= max_refusals) return;
      session = std::make_shared<Session>(*this, std::move(socket), refused);
      sessions.insert(session);
      if (refused) ++refusals;
    } catch (...) {  // out of memory: this connection is closed, the door stays open
      return;
    }
    asio::post(session->executor(), [session] { session->start(); });
  }

  std::optional<tcp::acceptor> acceptor;
  std::optional<asio::steady_timer> pause;
  std::vector<std::thread> threads;
  std::mutex stop_mutex;
  // A mutex and no queue: with several threads any of them accepts or closes, and only this register is shared.
  std::mutex sessions_mutex;
  std::unordered_set<std::shared_ptr<Session>> sessions;
  std::size_t refusals = 0;  // those among them that are over the cap and being told so
};

struct Responder::Ticket {
  std::shared_ptr<HttpServer::Impl::Gate> gate;
  std::weak_ptr<HttpServer::Session> session;
  std::shared_ptr<std::atomic<bool>> client_gone;
  std::atomic<bool> answered{false};  // Responders on several threads may race for the one answer

  ~Ticket() {
    try {
      answer({.status = 500, .content_type = {}, .body = {}, .headers = {}});
    } catch (...) {  // out of memory: the client waits until it gives up
    }
  }

  void answer(HttpResponse response) {
    if (answered.exchange(true, std::memory_order_relaxed)) return;
    const std::lock_guard lock(gate->mutex);  // while it is open and held, the io_context stays
    if (!gate->open) return;
    const auto target = session.lock();
    if (target == nullptr) return;
    asio::post(target->executor(),
               [target, answer = std::move(response)]() mutable { target->respond(std::move(answer)); });
  }
};

void Responder::send(HttpResponse response) const {
  ticket_->answer(std::move(response));
}
bool Responder::abandoned() const {
  return ticket_->client_gone->load(std::memory_order_relaxed);
}

HttpServer::Session::Session(Impl& server, tcp::socket socket, bool refused)
    : server_(server),
      refused_(refused),
      stream_(std::move(socket)),
      buffer_(server.options.max_header_bytes + body_read_bytes) {
  error_code ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  stream_.socket().set_option(asio::socket_base::keep_alive(true), ignored);
}

void HttpServer::Session::start() {
  if (!refused_) return read_header();
  write({.status = 503, .content_type = {}, .body = {}, .headers = {{"Retry-After", "1"}}});
}

void HttpServer::Session::read_header() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(server_.options.max_header_bytes));
  parser_->body_limit(server_.options.max_body_bytes);
  stream_.expires_after(server_.options.idle_timeout);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t) { self->on_header(error); });
}

void HttpServer::Session::on_header(error_code error) {
  if (error) return refuse(error);
  const auto& request = parser_->get();
  version_ = request.version();
  // What is not plainly chunked or plainly counted is how requests are smuggled past proxies.
  const auto codings = request.equal_range(http::field::transfer_encoding);
  for (auto coding = codings.first; coding != codings.second; ++coding)
    if (!beast::iequals(coding->value(), "chunked") || std::next(codings.first) != codings.second)
      return respond_and_close(400);
  if (version_ >= 11 && request.count(http::field::host) != 1) return respond_and_close(400);

  stream_.expires_after(server_.options.idle_timeout);
  if (version_ >= 11 && !parser_->is_done() && beast::iequals(request[http::field::expect], "100-continue")) {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(go_on.data(), go_on.size()),
                      [self = shared_from_this()](error_code write_error, std::size_t) {
                        write_error ? self->close() : self->read_body();
                      });
    return;
  }
  read_body();
}

void HttpServer::Session::read_body() {
  if (parser_->is_done()) return on_request({});
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, std::size_t) { self->on_request(error); });
}

void HttpServer::Session::on_request(error_code error) {
  if (error) return refuse(error);
  stream_.expires_never();
  hand_over();
}

void HttpServer::Session::hand_over() {
  auto message = parser_->release();
  keep_alive_ = message.keep_alive();
  head_only_ = message.method() == http::verb::head;

  HttpRequest request;
  request.method = head_only_ ? "GET" : std::string(view(message.method_string()));
  std::string_view target = view(message.target());
  if (!target.empty() && target.front() != '/') {  // "http://host/path", as clients send it to proxies
    const std::size_t authority = target.find("://");
    const std::size_t slash = authority == std::string_view::npos ? authority : target.find('/', authority + 3);
    if (slash != std::string_view::npos) target.remove_prefix(slash);
  }
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  auto query = parse_query(question == std::string_view::npos ? std::string_view{} : target.substr(question + 1));
  if ((request.path != "*" && (request.path.empty() || request.path.front() != '/')) || !query)
    return respond_and_close(400);
  request.query = std::move(*query);
  for (const auto& field : message) {
    request.headers.emplace_back(in_lower_case(view(field.name_string())), view(field.value()));
  }
  request.body = std::move(message.body());
  parser_.reset();

  auto ticket = std::make_shared<Responder::Ticket>();
  ticket->gate = server_.gate;
  ticket->session = weak_from_this();
  ticket->client_gone = client_gone_;
  awaiting_answer_ = true;
  watch_for_departure();
  const Responder responder(std::move(ticket));
  try {
    server_.handler(std::move(request), responder);
  } catch (...) {
    responder.send({.status = 500, .content_type = {}, .body = {}, .headers = {}});
  }
}

// While an answer is awaited nothing reads the socket; this notices that the client hangs up.
void HttpServer::Session::watch_for_departure() {
  if (watching_) return;
  watching_ = true;
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    self->watching_ = false;
    if (!self->awaiting_answer_) return;
    char byte = 0;
    const bool gone = error || [&] {
      const auto size = ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      return size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    }();
    // Bytes of a next request may hide the end behind them: then we do not know, and watch no longer.
    if (gone) self->client_gone_->store(true, std::memory_order_relaxed);
  });
}

void HttpServer::Session::refuse(error_code error) {
  if (error == http::error::body_limit) return respond_and_close(413);
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return respond_and_close(431);
  const bool broken = error.category() == make_error_code(http::error::bad_method).category() &&
                      error != http::error::end_of_stream && error != http::error::partial_message;
  if (broken) return respond_and_close(400);
  close();  // gone, or too slow
}

void HttpServer::Session::respond_and_close(int status) {
  keep_alive_ = false;
  write({.status = status, .content_type = {}, .body = {}, .headers = {}});
}

void HttpServer::Session::respond(HttpResponse response) {
  if (!awaiting_answer_) return;
  awaiting_answer_ = false;
  write(std::move(response));
}

void HttpServer::Session::write(HttpResponse response) {
  if (response.status < 200 || response.status > 999)
    response = {.status = 500, .content_type = {}, .body = {}, .headers = {}};
  response_.emplace();
  response_->version(11);  // RFC 9110, 2.5: our own version, also to a client of HTTP/1.0
  response_->result(static_cast<unsigned>(response.status));
  for (const auto& [name, value] : response.headers)
    if (is_header_name(name) && is_header_value(value)) response_->insert(name, value);
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) {
    if (!response.content_type.empty() && is_header_value(response.content_type))
      response_->set(http::field::content_type, response.content_type);
    response_->content_length(response.body.size());
    if (!head_only_) response_->body() = std::move(response.body);
  }
  if (!keep_alive_) response_->set(http::field::connection, "close");
  if (keep_alive_ && version_ < 11) response_->set(http::field::connection, "keep-alive");
  serializer_.emplace(*response_);
  stream_.expires_after(server_.options.write_timeout);
  const auto done = [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); };
  if (head_only_ || bodiless)
    http::async_write_header(stream_, *serializer_, done);
  else
    http::async_write(stream_, *serializer_, done);
}

void HttpServer::Session::on_written(error_code error) {
  serializer_.reset();
  response_.reset();
  if (error) return close();
  if (keep_alive_) return read_header();
  linger();
}

void HttpServer::Session::linger() {
  error_code error;
  stream_.socket().shutdown(tcp::socket::shutdown_send, error);
  if (error) return close();
  stream_.expires_after(linger_time);
  drain();
}

void HttpServer::Session::drain() {
  stream_.async_read_some(asio::buffer(drained_), [self = shared_from_this()](error_code error, std::size_t) {
    error ? self->close() : self->drain();
  });
}

void HttpServer::Session::close() {
  awaiting_answer_ = false;
  client_gone_->store(true, std::memory_order_relaxed);
  stream_.close();
  server_.remove(shared_from_this(), refused_);
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  stop();
}
std::uint16_t HttpServer::port() const {
  return impl_->port;
}
void HttpServer::stop() {
  impl_->stop();
}

Result<std::unique_ptr<HttpServer>, std::string> HttpServer::start(Options options, Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  try {
    if (auto problem = impl->listen()) return failure(std::move(*problem));
    std::unique_ptr<HttpServer> server(new HttpServer(std::move(impl)));
    server->impl_->run();
    return server;
  } catch (const std::exception& error) {  // no thread or no memory to be had
    return failure(std::string("cannot start the HTTP server: ") + error.what());
  }
}

}  // namespace tocsin
