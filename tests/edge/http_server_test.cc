// The server against real sockets, spoken to byte by byte.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "edge/http/server.h"

namespace tocsin {
namespace http_server_test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// What a client sees. Every wait ends after five seconds.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    std::memcpy(&generic, &address, sizeof generic);
    connected_ = ::connect(socket_, &generic, sizeof generic) == 0;
  }
  ~Connection() { hang_up(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server has closed: what it said can still be read
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void hang_up() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  // Reads until the text has come; what has come so far.
  std::string read_until(std::string_view text) {
    while (seen_.find(text) == std::string::npos && read_some()) {
    }
    return seen_;
  }
  // One whole answer with its Content-Length, taken off the connection.
  std::string answer(bool with_body = true) {
    read_until("\r\n\r\n");
    const std::size_t head = seen_.find("\r\n\r\n");
    if (head == std::string::npos) return "closed: " + seen_;
    std::size_t size = head + 4;
    const std::size_t length = seen_.find("Content-Length: ");
    if (with_body && length < head) size += std::stoul(seen_.substr(length + 16));
    while (seen_.size() < size && read_some()) {
    }
    const std::string one = seen_.substr(0, size);
    seen_.erase(0, size);
    return one;
  }
  bool closed_by_server() {
    while (read_some()) {
    }
    return at_end_;
  }

 private:
  bool read_some() {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, 5000) != 1) return false;
    std::array<char, 4096> bytes{};
    const auto size = ::recv(socket_, bytes.data(), bytes.size(), 0);
    at_end_ = size <= 0;
    if (size > 0) seen_.append(bytes.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  int socket_;
  bool connected_ = false;
  bool at_end_ = false;
  std::string seen_;
};

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler, HttpServer::Options options = {}) {
  auto server = HttpServer::start(options, std::move(handler));
  if (!server) throw std::runtime_error(server.error());
  return std::move(server).value();
}

HttpResponse text(std::string body, int status = 200) {
  return {.status = status, .content_type = "text/plain", .body = std::move(body), .headers = {}};
}

// Says what it was asked.
void echo(HttpRequest request, const Responder& responder) {
  std::string body = request.method + " " + request.path + " " + request.body;
  for (const auto& [name, value] : request.query) body += " " + name + "=" + value;
  responder.send(text(body));
}

bool starts_with(const std::string& whole, std::string_view start) {
  return whole.starts_with(start);
}
bool ends_with(const std::string& whole, std::string_view end) {
  return whole.ends_with(end);
}

template <class Condition>
bool comes_true(Condition condition) {
  for (const auto deadline = Clock::now() + 5s; Clock::now() < deadline; std::this_thread::sleep_for(1ms))
    if (condition()) return true;
  return condition();
}

TEST(HttpServer, AnswersARequest) {
  const auto server = serve(echo);
  Connection client(server->port());
  client.send("POST /v1/events?a=1&b=x%20y+z HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  const std::string answer = client.answer();
  EXPECT_TRUE(starts_with(answer, "HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Type: text/plain"), std::string::npos) << answer;
  EXPECT_TRUE(ends_with(answer, "POST /v1/events hello a=1 b=x y z")) << answer;
}

TEST(HttpServer, KeepsAConnectionForFurtherRequests) {
  const auto server = serve(echo);
  Connection client(server->port());
  for (const std::string path : {"/one", "/two", "/three"}) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(ends_with(client.answer(), "GET " + path + " "));
  }
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const auto server = serve(echo);
  Connection client(server->port());
  client.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(ends_with(client.answer(), "GET /one "));
  EXPECT_TRUE(ends_with(client.answer(), "GET /two "));
}

TEST(HttpServer, ClosesWhenTheClientAsksForIt) {
  const auto server = serve(echo);
  Connection client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client.answer().find("Connection: close"), std::string::npos);
  EXPECT_TRUE(client.closed_by_server());
  Connection old(server->port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(starts_with(old.answer(), "HTTP/1.1 200"));
  EXPECT_TRUE(old.closed_by_server());
}

TEST(HttpServer, ReadsAChunkedBody) {
  const auto server = serve(echo);
  Connection client(server->port());
  client.send(
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n");
  EXPECT_TRUE(ends_with(client.answer(), "POST /c hello world"));
}

TEST(HttpServer, TellsAWaitingClientToGoOn) {
  const auto server = serve(echo);
  Connection client(server->port());
  client.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_TRUE(ends_with(client.answer(), "POST /e ok"));
}

TEST(HttpServer, AnswersHeadWithoutABody) {
  const auto server = serve(echo);
  Connection client(server->port());
  client.send("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\nGET /g HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.answer(false).find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_TRUE(ends_with(client.answer(), "GET /g "));
}

TEST(HttpServer, SendsNoBodyWhereTheStatusHasNone) {
  const auto server = serve([](const HttpRequest&, const Responder& responder) { responder.send(text("x", 204)); });
  Connection client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.answer(), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(HttpServer, HandsOverDecodedSegmentsAndHeadersInLowerCase) {
  std::promise<HttpRequest> seen;
  const auto server = serve([&](HttpRequest request, const Responder& responder) {
    seen.set_value(std::move(request));
    responder.send({});
  });
  Connection client(server->port());
  client.send("GET http://h/v1/halts/task%3A7%2F8/?x HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n\r\n");
  const HttpRequest request = seen.get_future().get();
  EXPECT_EQ(request.path, "/v1/halts/task%3A7%2F8/");
  EXPECT_EQ(request.path_segments(), (std::vector<std::string>{"v1", "halts", "task:7/8"}));
  EXPECT_EQ(request.header("x-one"), "1");
  EXPECT_EQ(request.query_value("x"), "");
  EXPECT_FALSE(request.query_value("y").has_value());
}

TEST(HttpServer, LeavesOutHeadersThatWouldBreakTheAnswer) {
  const auto server = serve([](const HttpRequest&, const Responder& responder) {
    responder.send({.status = 200,
                    .content_type = "text/plain",
                    .body = {},
                    .headers = {{"X-Good", "1"}, {"X-Bad", "1\r\nX-Injected: 1"}, {"X Bad", "1"}}});
  });
  Connection client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string answer = client.answer();
  EXPECT_NE(answer.find("X-Good: 1"), std::string::npos);
  EXPECT_EQ(answer.find("Bad"), std::string::npos);
  EXPECT_EQ(answer.find("Injected"), std::string::npos);
}

TEST(HttpServer, AnswersALongPollFromAnotherThread) {
  std::promise<Responder> polled;
  const auto server = serve([&](const HttpRequest&, Responder responder) { polled.set_value(std::move(responder)); });
  Connection client(server->port());
  client.send("GET /poll HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = polled.get_future().get();
  EXPECT_FALSE(responder.abandoned());
  std::thread([&] { responder.send(text("at last")); }).join();
  responder.send(text("never"));
  EXPECT_TRUE(ends_with(client.answer(), "at last"));
}

TEST(HttpServer, TellsALongPollThatItsClientHasGone) {
  std::promise<Responder> polled;
  const auto server = serve([&](const HttpRequest&, Responder responder) { polled.set_value(std::move(responder)); });
  Connection client(server->port());
  client.send("GET /poll HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = polled.get_future().get();
  client.hang_up();
  EXPECT_TRUE(comes_true([&] { return responder.abandoned(); }));
  responder.send(text("to nobody"));
}

TEST(HttpServer, AnswersFiveHundredForAHandlerThatThrowsOrForgets) {
  const auto server = serve([](const HttpRequest& request, const Responder&) {
    if (request.path == "/throw") throw std::runtime_error("a secret");
  });
  Connection client(server->port());
  for (const std::string path : {"/throw", "/forget"}) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string answer = client.answer();
    EXPECT_TRUE(starts_with(answer, "HTTP/1.1 500 ")) << answer;
    EXPECT_EQ(answer.find("secret"), std::string::npos);
  }
}

TEST(HttpServer, RefusesATooLargeBody) {
  const auto server = serve(echo, {.max_body_bytes = 10});
  for (const std::string body : {"Content-Length: 11\r\n\r\n", "Content-Length: 11\r\nExpect: 100-continue\r\n\r\n",
                                 "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"}) {
    Connection client(server->port());
    client.send("POST / HTTP/1.1\r\nHost: h\r\n" + body);
    EXPECT_TRUE(starts_with(client.answer(), "HTTP/1.1 413 ")) << body;
  }
  Connection client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_TRUE(ends_with(client.answer(), "0123456789"));
}

TEST(HttpServer, LetsAClientThatStillSendsReadWhyItIsRefused) {
  const auto server = serve(echo, {.max_body_bytes = 10});
  Connection client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x'));
  EXPECT_TRUE(starts_with(client.answer(), "HTTP/1.1 413 "));
}

TEST(HttpServer, RefusesATooLargeHeader) {
  const auto server = serve(echo, {.max_header_bytes = 1000});
  Connection client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
  EXPECT_TRUE(starts_with(client.answer(), "HTTP/1.1 431 "));
}

TEST(HttpServer, RefusesBrokenRequests) {
  const auto server = serve(echo);
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        "GET /?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET / HTTP/9.9\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nBad Name: 1\r\n\r\n"}) {
    Connection client(server->port());
    client.send(request);
    EXPECT_TRUE(starts_with(client.answer(), "HTTP/1.1 400 ")) << request;
  }
}

TEST(HttpServer, HangsUpOnASlowLoris) {
  const auto server = serve(echo, {.idle_timeout = 100ms});
  for (const std::string start :
       {"", "GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\nx"}) {
    Connection client(server->port());
    std::atomic<bool> done{false};
    std::thread dripping([&] {  // a byte now and then is no progress
      client.send(start);
      for (; !done && !start.empty(); std::this_thread::sleep_for(10ms)) client.send("x");
    });
    const auto before = Clock::now();
    EXPECT_TRUE(client.closed_by_server()) << start;
    EXPECT_LT(Clock::now() - before, 20s);
    done = true;
    dripping.join();
  }
}

TEST(HttpServer, DoesNotTimeOutALongPoll) {
  std::promise<Responder> polled;
  const auto server = serve([&](const HttpRequest&, Responder responder) { polled.set_value(std::move(responder)); },
                            {.idle_timeout = 50ms});
  Connection client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = polled.get_future().get();
  EXPECT_EQ(std::promise<void>().get_future().wait_for(150ms), std::future_status::timeout);
  responder.send(text("patience"));
  EXPECT_TRUE(ends_with(client.answer(), "patience"));
}

TEST(HttpServer, GivesUpOnAClientThatDoesNotRead) {
  std::promise<Responder> polled;
  const auto server = serve([&](const HttpRequest&, Responder responder) { polled.set_value(std::move(responder)); },
                            {.write_timeout = 100ms});
  Connection client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = polled.get_future().get();
  responder.send(text(std::string(64 << 20, 'x')));
  EXPECT_TRUE(comes_true([&] { return responder.abandoned(); }));
}

TEST(HttpServer, TellsConnectionsOverTheCapToComeBack) {
  const auto server = serve(echo, {.max_connections = 2});
  Connection first(server->port());
  auto second = std::make_unique<Connection>(server->port());
  for (Connection* client : {&first, second.get()}) {
    client->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(starts_with(client->answer(), "HTTP/1.1 200 "));
  }
  Connection third(server->port());
  EXPECT_TRUE(starts_with(third.answer(), "HTTP/1.1 503 "));
  second.reset();
  EXPECT_TRUE(comes_true([&] {
    Connection again(server->port());
    again.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    return starts_with(again.answer(), "HTTP/1.1 200 ");
  }));
}

TEST(HttpServer, StopsWhileRequestsAreInFlight) {
  std::promise<Responder> polled;
  const auto server = serve([&](const HttpRequest& request, Responder responder) {
    if (request.path == "/poll") polled.set_value(std::move(responder));
  });
  Connection waiting(server->port()), idle(server->port()), halfway(server->port());
  halfway.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  waiting.send("GET /poll HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = polled.get_future().get();
  const auto before = Clock::now();
  server->stop();
  server->stop();
  EXPECT_LT(Clock::now() - before, 20s);
  EXPECT_TRUE(waiting.closed_by_server());
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_TRUE(halfway.closed_by_server());
  EXPECT_TRUE(responder.abandoned());
  responder.send(text("too late"));
  EXPECT_FALSE(Connection(server->port()).connected());
}

TEST(HttpServer, StopsUnderLoadFromManyThreads) {
  std::mutex mutex;
  std::vector<Responder> later;
  std::thread answering;
  std::atomic<bool> done{false};
  {
    const auto server = serve(
        [&](HttpRequest request, const Responder& responder) {
          if (request.path == "/now") return echo(std::move(request), responder);
          const std::lock_guard lock(mutex);
          later.push_back(responder);
        },
        {.threads = 3});
    answering = std::thread([&] {
      while (!done) {
        std::vector<Responder> some;
        {
          const std::lock_guard lock(mutex);
          some.swap(later);
        }
        for (const Responder& responder : some) responder.send(text("later"));
        std::this_thread::yield();
      }
    });
    std::atomic<int> answers{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 6; ++i)
      clients.emplace_back([&, i] {
        Connection client(server->port());
        for (;;) {
          client.send(i % 2 == 0 ? "GET /now HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
          if (!starts_with(client.answer(), "HTTP/1.1 200 ")) return;
          ++answers;
        }
      });
    EXPECT_TRUE(comes_true([&] { return answers > 200; }));
    server->stop();
    for (std::thread& client : clients) client.join();
  }
  done = true;
  answering.join();
}

TEST(HttpServer, SaysWhyItCannotListen) {
  const auto first = serve(echo);
  const auto second = HttpServer::start({.port = first->port()}, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(),
            "cannot listen on 127.0.0.1:" + std::to_string(first->port()) + ": Address already in use");
  EXPECT_FALSE(HttpServer::start({.address = "nowhere"}, echo));
}

}  // namespace http_server_test
}  // namespace tocsin
