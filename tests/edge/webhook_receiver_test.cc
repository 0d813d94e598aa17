// Webhooks against real receivers: well-behaved ones on our own server, others on bare sockets.

#include "edge/webhook/webhook_receiver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "edge/http/server.h"
#include "edge/webhook/signature.h"

namespace tocsin {
namespace webhook_receiver_test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// 2021-02-25T00:00:00Z, a Thursday: no clock in these tests.
constexpr std::int64_t now = 1'614'211'200;

// What came of the attempts, by page id.
class Results {
 public:
  std::function<void(DeliveryResult)> collect() {
    return [this](DeliveryResult result) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  std::vector<DeliveryResult> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 10s, [&] { return all_.size() >= count; });
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<DeliveryResult> all_;
};

WebhookReceiver::Options options_for(std::string url) {
  WebhookReceiver::Options options;
  options.url = std::move(url);
  options.secrets = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
  options.allow_cidrs = {"127.0.0.0/8", "::1/128"};
  options.wall_clock_seconds = [] { return now; };
  return options;
}

std::unique_ptr<WebhookReceiver> make(WebhookReceiver::Options options) {
  auto receiver = WebhookReceiver::create(std::move(options));
  if (!receiver) throw std::runtime_error(receiver.error().front());
  return std::move(receiver).value();
}

DeliveryResult attempt_once(WebhookReceiver::Options options) {
  Results results;
  const auto receiver = make(std::move(options));
  receiver->attempt({.page_id = "page-1", .body = R"({"a":1})"}, results.collect());
  const auto all = results.wait_for(1);
  return all.size() == 1 ? all.front() : DeliveryResult{.page_id = "no result", .retry_after = {}, .reason = {}};
}

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler) {
  auto server = HttpServer::start({}, std::move(handler));
  if (!server) throw std::runtime_error(server.error());
  return std::move(server).value();
}

std::string url_of(const HttpServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.port()) + "/hook";
}

// A listening socket whose connections, one after another, go to a script.
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
    thread_ = std::thread([this] {
      while (!stop_) {
        pollfd ready{listener_, POLLIN, 0};
        if (::poll(&ready, 1, 10) != 1) continue;
        const int socket = ::accept(listener_, nullptr, nullptr);
        script_(socket, stop_);
        ::close(socket);
      }
    });
  }
  ~ScriptedPeer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  const Script script_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// One byte each 10 ms, for as long as somebody listens.
ScriptedPeer::Script drips(std::string start, std::string endless) {
  return [start = std::move(start), endless = std::move(endless)](int socket, const std::atomic<bool>& stop) {
    send_all(socket, start);
    for (std::size_t i = 0; !stop; ++i) {
      if (::send(socket, &endless[i % endless.size()], 1, MSG_NOSIGNAL) != 1) return;
      std::this_thread::sleep_for(10ms);
    }
  };
}

TEST(WebhookSignature, IsThatOfTheStandard) {
  const auto secret = parse_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
  EXPECT_EQ(webhook_signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1'614'265'330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, TakesSecretsInBothForms) {
  EXPECT_EQ(parse_webhook_secret("plain").value().key, "plain");
  EXPECT_EQ(parse_webhook_secret("whsec_cGxhaW4=").value().key, "plain");
  EXPECT_EQ(parse_webhook_secret("whsec_cGxhaW4").value().key, "plain");
  for (const std::string text : {"", "whsec_", "whsec_c", "whsec_c!aW4=", "whsec_====", "whsec_cGxh=W4="}) {
    const auto refused = parse_webhook_secret(text);
    ASSERT_FALSE(refused) << text;
    if (text.size() > 8) {
      EXPECT_EQ(refused.error().find(text.substr(6)), std::string::npos);
    }
  }
}

TEST(WebhookReceiver, SendsWhatTheStandardAsksFor) {
  std::mutex mutex;
  HttpRequest seen;
  const auto server = serve([&](HttpRequest request, const Responder& responder) {
    const std::lock_guard lock(mutex);
    seen = std::move(request);
    responder.send({.status = 204, .content_type = {}, .body = {}, .headers = {}});
  });
  auto options = options_for(url_of(*server));
  options.secrets.emplace_back("the next one");
  const DeliveryResult result = attempt_once(std::move(options));
  EXPECT_EQ(result.outcome, DeliveryOutcome::delivered);
  EXPECT_EQ(result.status, 204);
  EXPECT_EQ(result.page_id, "page-1");

  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/hook");
  EXPECT_EQ(seen.body, R"({"a":1})");
  EXPECT_EQ(seen.header("content-type"), "application/json");
  EXPECT_EQ(seen.header("webhook-id"), "page-1");
  EXPECT_EQ(seen.header("webhook-timestamp"), "1614211200");
  const auto old_secret = parse_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
  const auto new_secret = parse_webhook_secret("the next one").value();
  EXPECT_EQ(seen.header("webhook-signature"), webhook_signature(old_secret, "page-1", now, seen.body) + " " +
                                                  webhook_signature(new_secret, "page-1", now, seen.body));
}

TEST(WebhookReceiver, ReadsTheStatusAsThePortHasIt) {
  const std::map<int, DeliveryOutcome> meanings{
      {200, DeliveryOutcome::delivered}, {202, DeliveryOutcome::delivered}, {302, DeliveryOutcome::retry},
      {307, DeliveryOutcome::retry},     {400, DeliveryOutcome::rejected},  {401, DeliveryOutcome::rejected},
      {404, DeliveryOutcome::rejected},  {408, DeliveryOutcome::retry},     {410, DeliveryOutcome::gone},
      {413, DeliveryOutcome::rejected},  {429, DeliveryOutcome::retry},     {500, DeliveryOutcome::retry},
      {503, DeliveryOutcome::retry},
  };
  std::atomic<int> status{0}, requests{0};
  const auto server = serve([&](const HttpRequest&, const Responder& responder) {
    ++requests;
    responder.send({.status = status,
                    .content_type = "text/plain",
                    .body = "an answer not to be repeated",
                    .headers = {{"Location", "http://127.0.0.1:1/"}}});
  });
  for (const auto& [code, outcome] : meanings) {
    status = code;
    const DeliveryResult result = attempt_once(options_for(url_of(*server)));
    EXPECT_EQ(result.outcome, outcome) << code;
    EXPECT_EQ(result.status, code);
    EXPECT_FALSE(result.retry_after.has_value());
    EXPECT_EQ(result.reason.find("answer"), std::string::npos) << result.reason;
  }
  EXPECT_EQ(requests, static_cast<int>(meanings.size()));
}

TEST(WebhookReceiver, PassesOnWhenToRetry) {
  for (const auto& [header, delay] :
       std::map<std::string, std::optional<Duration>>{{"120", 120s},
                                                      {"Thu, 25 Feb 2021 00:00:30 GMT", 30s},
                                                      {"Wed, 24 Feb 2021 00:00:30 GMT", 0s},
                                                      {"soon", {}}}) {
    const auto server = serve([&header = header](const HttpRequest&, const Responder& responder) {
      responder.send({.status = 429, .content_type = {}, .body = {}, .headers = {{"Retry-After", header}}});
    });
    const DeliveryResult result = attempt_once(options_for(url_of(*server)));
    EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
    EXPECT_EQ(result.retry_after, delay) << header;
  }
}

TEST(WebhookReceiver, GivesUpOnAReceiverThatHangs) {
  const ScriptedPeer peer([](int, const std::atomic<bool>& stop) {
    while (!stop) std::this_thread::sleep_for(1ms);
  });
  auto options = options_for(peer.url());
  options.timeout = 100ms;
  const auto before = Clock::now();
  const DeliveryResult result = attempt_once(std::move(options));
  EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.reason, "time-out");
  EXPECT_LT(Clock::now() - before, 20s);
}

TEST(WebhookReceiver, GivesUpOnAnAnswerThatDrips) {
  const ScriptedPeer peer(drips("HTTP/1.1 200 OK\r\nX: ", "x"));
  auto options = options_for(peer.url());
  options.timeout = 100ms;
  const DeliveryResult result = attempt_once(std::move(options));
  EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  EXPECT_EQ(result.reason, "time-out");
}

TEST(WebhookReceiver, GoesByTheStatusWhenOnlyTheBodyDrips) {
  const ScriptedPeer peer(drips("HTTP/1.1 200 OK\r\n\r\n", "x"));
  auto options = options_for(peer.url());
  options.timeout = 100ms;
  const auto before = Clock::now();
  const DeliveryResult result = attempt_once(std::move(options));
  EXPECT_EQ(result.outcome, DeliveryOutcome::delivered);
  EXPECT_LT(Clock::now() - before, 20s);
}

TEST(WebhookReceiver, ReadsOnlyTheStartOfAHugeAnswer) {
  std::atomic<std::size_t> sent{0};
  const ScriptedPeer peer([&](int socket, const std::atomic<bool>& stop) {
    send_all(socket, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    const std::string more(1 << 16, 'x');
    while (!stop && ::send(socket, more.data(), more.size(), MSG_NOSIGNAL) > 0) sent += more.size();
  });
  const auto before = Clock::now();
  const DeliveryResult result = attempt_once(options_for(peer.url()));
  EXPECT_EQ(result.outcome, DeliveryOutcome::delivered);
  EXPECT_LT(Clock::now() - before, 20s);
  EXPECT_LT(sent, 64U << 20);  // what the kernel's buffers took
}

TEST(WebhookReceiver, RetriesWhatIsNoHttpOrBreaksOff) {
  for (const std::string answer : {"", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200"}) {
    const ScriptedPeer peer([&](int socket, const std::atomic<bool>&) { send_all(socket, answer); });
    const DeliveryResult result = attempt_once(options_for(peer.url()));
    EXPECT_EQ(result.outcome, DeliveryOutcome::retry) << answer;
    EXPECT_EQ(result.reason.find("SSH"), std::string::npos);
  }
}

TEST(WebhookReceiver, RetriesARefusedConnection) {
  auto server = serve([](const HttpRequest&, const Responder&) {});
  const std::string url = url_of(*server);
  server.reset();
  const DeliveryResult result = attempt_once(options_for(url));
  EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  EXPECT_EQ(result.reason, "connection refused");
}

TEST(WebhookReceiver, DoesNotReachIntoOurOwnNetwork) {
  std::atomic<int> requests{0};
  const auto server = serve([&](const HttpRequest&, const Responder& responder) {
    ++requests;
    responder.send({});
  });
  const std::string port = std::to_string(server->port());
  for (const std::string host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1",
                                 "2130706433", "0x7f000001", "169.254.169.254"}) {
    auto options = options_for("http://" + host + ":" + port + "/hook");
    options.allow_cidrs.clear();
    const DeliveryResult result = attempt_once(std::move(options));
    EXPECT_EQ(result.outcome, DeliveryOutcome::retry) << host;
    EXPECT_EQ(result.status, 0) << host;
    EXPECT_EQ(result.reason, "the host's address is not one that may be connected to") << host;
  }
  EXPECT_EQ(requests, 0);
  EXPECT_EQ(attempt_once(options_for("http://localhost:" + port + "/hook")).outcome, DeliveryOutcome::delivered);
}

TEST(WebhookReceiver, ReportsEverythingThatIsWrongWithItsOptions) {
  WebhookReceiver::Options options;
  options.url = "ftp://h/token";
  options.secrets = {"whsec_!"};
  options.ca_file = "/does/not/exist.pem";
  options.allow_cidrs = {"x", "y"};
  options.max_concurrent = 0;
  const auto refused = WebhookReceiver::create(std::move(options));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().size(), 7U);
  for (const std::string& problem : refused.error()) EXPECT_EQ(problem.find("token"), std::string::npos) << problem;
}

TEST(WebhookReceiver, RejectsAPageIdThatCannotStandInAHeader) {
  const auto server = serve([](const HttpRequest&, const Responder& responder) { responder.send({}); });
  const auto receiver = make(options_for(url_of(*server)));
  Results results;
  receiver->attempt({.page_id = "a\r\nwebhook-id: b", .body = "{}"}, results.collect());
  EXPECT_EQ(results.wait_for(1).at(0).outcome, DeliveryOutcome::rejected);
}

TEST(WebhookReceiver, QueuesBeyondItsBoundOfAttemptsAndLosesNone) {
  std::mutex mutex;
  std::vector<Responder> waiting;
  std::size_t most = 0, total = 0;
  const auto server = serve([&](const HttpRequest&, const Responder& responder) {
    const std::lock_guard lock(mutex);
    waiting.push_back(responder);
    most = std::max(most, waiting.size());
    ++total;
  });
  auto options = options_for(url_of(*server));
  options.max_concurrent = 3;
  options.max_queued = 20;
  const auto receiver = make(std::move(options));
  Results results;
  for (int i = 0; i < 25; ++i) receiver->attempt({.page_id = std::to_string(i), .body = "{}"}, results.collect());
  const auto overflow = results.wait_for(2);  // 3 on the wire, 20 queued
  ASSERT_EQ(overflow.size(), 2U);
  for (const DeliveryResult& result : overflow) EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  for (const auto deadline = Clock::now() + 10s; Clock::now() < deadline && results.wait_for(0).size() < 25;
       std::this_thread::sleep_for(1ms)) {
    const std::lock_guard lock(mutex);
    for (const Responder& responder : waiting) responder.send({});
    waiting.clear();
  }
  const auto all = results.wait_for(25);
  ASSERT_EQ(all.size(), 25U);
  EXPECT_EQ(std::count_if(all.begin(), all.end(),
                          [](const DeliveryResult& result) { return result.outcome == DeliveryOutcome::delivered; }),
            23);
  const std::lock_guard lock(mutex);
  EXPECT_LE(most, 3U);
  EXPECT_EQ(total, 23U);
}

TEST(WebhookReceiver, AnswersEveryAttemptWhenItIsDestroyed) {
  std::vector<Responder> kept;
  const auto server = serve([&](const HttpRequest&, const Responder& responder) { kept.push_back(responder); });
  Results results;
  auto receiver = make(options_for(url_of(*server)));
  for (int i = 0; i < 20; ++i) receiver->attempt({.page_id = std::to_string(i), .body = "{}"}, results.collect());
  const auto before = Clock::now();
  receiver.reset();
  EXPECT_LT(Clock::now() - before, 20s);
  const auto all = results.wait_for(20);
  ASSERT_EQ(all.size(), 20U);
  for (const DeliveryResult& result : all) EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  server->stop();
}

TEST(WebhookReceiver, MayBeAskedAgainFromItsOwnCallback) {
  const auto server = serve([](const HttpRequest&, const Responder& responder) { responder.send({}); });
  auto options = options_for(url_of(*server));
  options.max_concurrent = 1;
  const auto receiver = make(std::move(options));
  Results results;
  receiver->attempt({.page_id = "first", .body = "{}"}, [&](const DeliveryResult&) {
    receiver->attempt({.page_id = "second", .body = "{}"}, results.collect());
  });
  EXPECT_EQ(results.wait_for(1).at(0).page_id, "second");
}

// A key with a certificate that nobody but itself signed, for the names given; and a receiver that shows it.
class TlsPeer {
 public:
  explicit TlsPeer(const std::string& names) : key_(EVP_RSA_gen(2048)), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* const name = X509_get_subject_name(certificate_);
    const std::array<unsigned char, 4> common{'t', 'e', 's', 't'};
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common.data(), 4, -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate_, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate_, key_, EVP_sha256());
    ca_file_ = testing::TempDir() + "webhook_ca_" + std::to_string(::getpid()) + ".pem";
    std::FILE* const file = std::fopen(ca_file_.c_str(), "w");
    if (file == nullptr) throw std::runtime_error("cannot write " + ca_file_);
    PEM_write_X509(file, certificate_);
    std::fclose(file);
    context_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context_, certificate_);
    SSL_CTX_use_PrivateKey(context_, key_);
    peer_.emplace([this](int socket, const std::atomic<bool>&) { talk(socket); });
  }
  ~TlsPeer() {
    peer_.reset();
    SSL_CTX_free(context_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    std::remove(ca_file_.c_str());
  }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  std::string url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(peer_->port()) + "/";
  }
  const std::string& ca_file() const { return ca_file_; }
  int requests() const { return requests_; }
  std::string server_name() const {
    const std::lock_guard lock(mutex_);
    return server_name_;
  }

 private:
  void talk(int socket) {
    timeval patience{5, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL* const ssl = SSL_new(context_);
    SSL_set_fd(ssl, socket);
    std::array<char, 4096> bytes{};
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, bytes.data(), static_cast<int>(bytes.size())) > 0) {
      {
        const std::lock_guard lock(mutex_);
        const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        server_name_ = name == nullptr ? "" : name;
      }
      ++requests_;
      constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
      SSL_shutdown(ssl);
    }
    ERR_clear_error();
    SSL_free(ssl);
  }

  EVP_PKEY* key_;
  X509* certificate_;
  SSL_CTX* context_ = nullptr;
  std::string ca_file_;
  std::atomic<int> requests_{0};
  mutable std::mutex mutex_;
  std::string server_name_;
  std::optional<ScriptedPeer> peer_;
};

TEST(WebhookReceiver, TrustsNoCertificateThatItIsNotToldToTrust) {
  const TlsPeer peer("DNS:localhost,IP:127.0.0.1");
  const DeliveryResult result = attempt_once(options_for(peer.url("localhost")));
  EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.reason.starts_with("TLS: the certificate is refused: ")) << result.reason;
  EXPECT_EQ(peer.requests(), 0);
}

TEST(WebhookReceiver, TrustsTheCertificateOfItsCaFile) {
  const TlsPeer peer("DNS:localhost,IP:127.0.0.1");
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    auto options = options_for(peer.url(host));
    options.ca_file = peer.ca_file();
    const DeliveryResult result = attempt_once(std::move(options));
    EXPECT_EQ(result.outcome, DeliveryOutcome::delivered) << result.reason;
    EXPECT_EQ(peer.server_name(), host == "localhost" ? "localhost" : "");
  }
}

TEST(WebhookReceiver, RefusesACertificateForAnotherName) {
  const TlsPeer peer("DNS:elsewhere.example,IP:127.0.0.2");
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    auto options = options_for(peer.url(host));
    options.ca_file = peer.ca_file();
    const DeliveryResult result = attempt_once(std::move(options));
    EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
    EXPECT_TRUE(result.reason.starts_with("TLS: the certificate is refused: ")) << result.reason;
  }
  EXPECT_EQ(peer.requests(), 0);
}

TEST(WebhookReceiver, GivesUpOnATlsHandshakeThatHangs) {
  const ScriptedPeer peer([](int, const std::atomic<bool>& stop) {
    while (!stop) std::this_thread::sleep_for(1ms);
  });
  auto options = options_for("https://127.0.0.1:" + std::to_string(peer.port()) + "/");
  options.timeout = 100ms;
  EXPECT_EQ(attempt_once(std::move(options)).reason, "time-out");
}

}  // namespace webhook_receiver_test
}  // namespace tocsin
