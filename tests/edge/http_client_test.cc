// The client, and the parser of its URLs, against our own server and against answers written byte by byte.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <stdexcept>
#include <thread>

#include "edge/http/client.h"
#include "edge/http/server.h"

namespace tocsin {
namespace http_client_test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Accepts connections one after another, reads a request's header and gives the socket to a script.
class ScriptedPeer {
 public:
  using Script = std::function<void(int socket, const std::atomic<bool>& stop)>;

  explicit ScriptedPeer(Script script) : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    std::memcpy(&generic, &address, sizeof generic);
    socklen_t size = sizeof generic;
    if (::bind(listener_, &generic, size) != 0 || ::listen(listener_, 8) != 0) throw std::runtime_error("no socket");
    ::getsockname(listener_, &generic, &size);
    std::memcpy(&address, &generic, sizeof address);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedPeer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  void serve() {
    while (!stop_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 10) != 1) continue;
      const int socket = ::accept(listener_, nullptr, nullptr);
      std::string seen;
      std::array<char, 4096> bytes{};
      while (!stop_ && seen.find("\r\n\r\n") == std::string::npos) {
        pollfd readable{socket, POLLIN, 0};
        if (::poll(&readable, 1, 10) != 1) continue;
        const auto size = ::recv(socket, bytes.data(), bytes.size(), 0);
        if (size <= 0) break;
        seen.append(bytes.data(), static_cast<std::size_t>(size));
      }
      script_(socket, stop_);
      ::close(socket);
    }
  }

  const Script script_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

ScriptedPeer::Script says(std::string answer) {
  return [answer = std::move(answer)](int socket, const std::atomic<bool>&) {
    (void)::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
  };
}

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler) {
  auto server = HttpServer::start({}, std::move(handler));
  if (!server) throw std::runtime_error(server.error());
  return std::move(server).value();
}

std::string base(const HttpServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.port());
}

TEST(HttpCall, SendsARequestAndReturnsTheReply) {
  const auto server = serve([](const HttpRequest& request, const Responder& responder) {
    responder.send({.status = 201,
                    .content_type = "text/plain",
                    .body = request.method + request.path + request.body + std::string(*request.header("x-one")),
                    .headers = {}});
  });
  const auto reply = http_call("POST", base(*server) + "/v1/x", {{"X-One", "1"}}, "body", 5s);
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply.value().status, 201);
  EXPECT_EQ(reply.value().body, "POST/v1/xbody1");
}

TEST(HttpCall, CarriesLargeBodiesBothWays) {
  const auto server = serve([](HttpRequest request, const Responder& responder) {
    responder.send({.status = 200, .content_type = "text/plain", .body = std::move(request.body), .headers = {}});
  });
  const std::string large(5'000'000, 'x');
  const auto reply = http_call("POST", base(*server), {}, large, 20s);
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply.value().body, large);
}

TEST(HttpCall, ResolvesNames) {
  const auto server = serve([](const HttpRequest& request, const Responder& responder) {
    responder.send({.status = 200, .content_type = {}, .body = std::string(*request.header("host")), .headers = {}});
  });
  const std::string port = std::to_string(server->port());
  const auto reply = http_call("GET", "http://LOCALHOST:" + port, {}, "", 5s);
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply.value().body, "localhost:" + port);
  const auto unknown = http_call("GET", "http://no-such-host.invalid/", {}, "", 20s);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().find("no-such-host"), std::string::npos);
}

TEST(HttpCall, FollowsNoRedirect) {
  const auto server = serve([](const HttpRequest&, const Responder& responder) {
    responder.send({.status = 302, .content_type = {}, .body = {}, .headers = {{"Location", "/elsewhere"}}});
  });
  EXPECT_EQ(http_call("GET", base(*server), {}, "", 5s).value().status, 302);
}

TEST(HttpCall, ReadsEveryFormOfReply) {
  const std::vector<std::pair<std::string, std::string>> forms{
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok"},
      {"HTTP/1.0 200 OK\r\n\r\nok", "ok"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "2\r\n\r\nok",
       "ok"},
  };
  for (const auto& [wire, body] : forms) {
    const ScriptedPeer peer(says(wire));
    const auto reply = http_call("GET", peer.url(), {}, "", 5s);
    ASSERT_TRUE(reply) << reply.error() << "\n" << wire;
    EXPECT_EQ(reply.value().body, body) << wire;
  }
  const ScriptedPeer peer(says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(http_call("HEAD", peer.url(), {}, "", 5s).value().status, 200);
}

TEST(HttpCall, SaysWhatIsWrongWithAReply) {
  const std::vector<std::pair<std::string, std::string>> forms{
      {"", "closed"},
      {"HTTP/1.1 200 OK\r\nContent-Le", "closed"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", "closed"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nok", "closed"},
  };
  for (const auto& [wire, problem] : forms) {
    const ScriptedPeer peer(says(wire));
    const auto reply = http_call("GET", peer.url(), {}, "", 5s);
    ASSERT_FALSE(reply) << wire;
    EXPECT_NE(reply.error().find(problem), std::string::npos) << reply.error() << "\n" << wire;
  }
  std::string interim;
  for (int i = 0; i < 100; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  const ScriptedPeer peer(says(interim));
  EXPECT_FALSE(http_call("GET", peer.url(), {}, "", 5s));
}

TEST(HttpCall, RefusesAReplyThatDoesNotEnd) {
  const ScriptedPeer peer([](int socket, const std::atomic<bool>& stop) {
    const std::string start = "HTTP/1.1 200 OK\r\n\r\n", more(1 << 16, 'x');
    (void)::send(socket, start.data(), start.size(), MSG_NOSIGNAL);
    while (!stop && ::send(socket, more.data(), more.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  const auto reply = http_call("GET", peer.url(), {}, "", 60s);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), "the reply is too long");
}

TEST(HttpCall, EndsAtItsTimeOut) {
  std::vector<Responder> kept;
  const auto server = serve([&](const HttpRequest&, const Responder& responder) { kept.push_back(responder); });
  const auto before = Clock::now();
  const auto reply = http_call("GET", base(*server), {}, "", 100ms);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), "time-out");
  EXPECT_LT(Clock::now() - before, 20s);
  server->stop();
}

TEST(HttpCall, SaysThatNobodyListens) {
  auto server = serve([](const HttpRequest&, const Responder&) {});
  const std::string url = base(*server);
  server.reset();
  EXPECT_EQ(http_call("GET", url, {}, "", 5s).error(), "connection refused");
}

TEST(HttpCall, SendsNothingThatBreaksARequest) {
  const auto server = serve([](const HttpRequest&, const Responder& responder) { responder.send({}); });
  EXPECT_FALSE(http_call("GET", base(*server), {{"X", "1\r\nY: 2"}}, "", 5s));
  EXPECT_FALSE(http_call("GET", base(*server), {{"X: 1\r\nY", "2"}}, "", 5s));
  EXPECT_FALSE(http_call("GET / HTTP/1.1\r\n", base(*server), {}, "", 5s));
  EXPECT_FALSE(http_call("GET", base(*server) + "/\r\nX: 1", {}, "", 5s));
}

TEST(HttpClient, ConnectsToNoAddressThatIsRefused) {
  std::atomic<int> requests{0};
  const auto server = serve([&](const HttpRequest&, const Responder& responder) {
    ++requests;
    responder.send({});
  });
  auto client = HttpClient::create({}).value();
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    std::promise<HttpOutcome> promise;
    HttpCall call;
    call.url = parse_url("http://" + host + ":" + std::to_string(server->port())).value();
    call.may_connect = [](const IpAddress&) { return false; };
    client->call(std::move(call), [&](HttpOutcome outcome) { promise.set_value(std::move(outcome)); });
    const HttpOutcome outcome = promise.get_future().get();
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.problem, "the host's address is not one that may be connected to");
  }
  EXPECT_EQ(requests, 0);
}

TEST(HttpClient, EndsEveryCallWhenItStops) {
  std::vector<Responder> kept;
  const auto server = serve([&](const HttpRequest&, const Responder& responder) { kept.push_back(responder); });
  std::atomic<int> ended{0};
  {
    auto client = HttpClient::create({}).value();
    for (int i = 0; i < 20; ++i) {
      HttpCall call;
      call.url = parse_url(base(*server)).value();
      client->call(std::move(call),
                   [&](const HttpOutcome& outcome) { ended += outcome.problem == "stopped" ? 1 : 0; });
    }
    const auto before = Clock::now();
    client->stop();
    EXPECT_LT(Clock::now() - before, 20s);
  }
  EXPECT_EQ(ended, 20);
  server->stop();
}

TEST(Url, IsReadAsRfc3986HasIt) {
  const Url plain = parse_url("HTTP://Example.COM").value();
  EXPECT_FALSE(plain.secure);
  EXPECT_EQ(plain.host, "example.com");
  EXPECT_EQ(plain.port, 80);
  EXPECT_EQ(plain.target, "/");
  EXPECT_EQ(plain.host_header(), "example.com");
  const Url full = parse_url("https://[2001:DB8::1]:8443/a/b?c=d#e").value();
  EXPECT_TRUE(full.secure);
  EXPECT_EQ(full.host, "2001:db8::1");
  EXPECT_EQ(full.port, 8443);
  EXPECT_EQ(full.target, "/a/b?c=d");
  EXPECT_EQ(full.host_header(), "[2001:db8::1]:8443");
  EXPECT_EQ(parse_url("https://h?q").value().target, "/?q");
  EXPECT_EQ(parse_url("https://h:443/").value().host_header(), "h");
}

TEST(Url, IsRefusedWhenItMeansNothingOrTooMuch) {
  for (const std::string text :
       {"", "example.com", "ftp://h/", "http://", "http:///path", "http://user:password@h/", "http://h:0/",
        "http://h:65536/", "http://h:x/", "http://h:/", "http://h/a b", "http://h/\r\nX: 1", "http://h/\xc3\xa9",
        "http://[::1", "http://[h]/", "http://[::1]x/", "http://h%00/", "http://a\\b/"})
    EXPECT_FALSE(parse_url(text)) << text;
  EXPECT_EQ(parse_url("http://user:password@h/").error().find("user:"), std::string::npos);
}

TEST(Url, EscapesGoRoundTrip) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("task:7/a b"), "task%3A7%2Fa%20b");
  EXPECT_FALSE(percent_decode("%4").has_value());
  EXPECT_FALSE(percent_decode("%g0").has_value());
  EXPECT_EQ(parse_query("a=1&&b=%26+%2B&c&=d"), (HttpFields{{"a", "1"}, {"b", "& +"}, {"c", ""}, {"", "d"}}));
}

}  // namespace http_client_test
}  // namespace tocsin
