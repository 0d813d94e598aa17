// Pages to a PagerDuty that is our own server: what it is sent, what its answers mean, and that the routing key goes
// nowhere else.

#include "edge/pagerduty/pagerduty_receiver.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>

#include "edge/http/server.h"

namespace tocsin {
namespace pagerduty_receiver_test {

using namespace std::chrono_literals;

const std::string routing_key = "0123456789abcdef0123456789ABCDEF";
const std::string page =
    R"({"type":"alert.firing","timestamp":"2026-01-07T04:03:30.000Z","data":{"alert":"CostSpike","state":"firing",)"
    R"("labels":{"agent":"support"},"page_id":"a:1:firing","dedup_key":"a:1","summary":"costly","severity":"warning"}})";

PagerdutyReceiver::Options options_for(const HttpServer& server) {
  PagerdutyReceiver::Options options;
  options.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/v2/enqueue";
  options.routing_key = routing_key;
  options.allow_cidrs = {"127.0.0.0/8"};
  options.wall_clock_seconds = [] { return std::int64_t{1'614'211'200}; };
  return options;
}

DeliveryResult attempt_once(PagerdutyReceiver::Options options, const std::string& body = page) {
  auto created = PagerdutyReceiver::create(std::move(options));
  if (!created) throw std::runtime_error(created.error().front());
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<DeliveryResult> result;
  const std::unique_ptr<PagerdutyReceiver> receiver = std::move(created).value();
  receiver->attempt({.page_id = "a:1:firing", .body = body}, [&](DeliveryResult answer) {
    const std::lock_guard lock(mutex);
    result = std::move(answer);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, 10s, [&] { return result.has_value(); })) throw std::runtime_error("no result");
  return *result;
}

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler) {
  auto server = HttpServer::start({}, std::move(handler));
  if (!server) throw std::runtime_error(server.error());
  return std::move(server).value();
}

TEST(PagerdutyReceiver, SendsAnEventUnderItsRoutingKey) {
  std::mutex mutex;
  HttpRequest seen;
  const auto server = serve([&](const HttpRequest& request, const Responder& responder) {
    const std::lock_guard lock(mutex);
    seen = request;
    responder.send(
        {.status = 202, .content_type = "application/json", .body = R"({"status":"success"})", .headers = {}});
  });
  const DeliveryResult result = attempt_once(options_for(*server));
  EXPECT_EQ(result.outcome, DeliveryOutcome::delivered);
  EXPECT_EQ(result.status, 202);
  EXPECT_EQ(result.page_id, "a:1:firing");
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v2/enqueue");
  EXPECT_EQ(seen.header("content-type"), "application/json");
  const auto event = nlohmann::json::parse(seen.body);
  EXPECT_EQ(event["routing_key"], routing_key);
  EXPECT_EQ(event["event_action"], "trigger");
  EXPECT_EQ(event["dedup_key"], "a:1");
  EXPECT_EQ(event["payload"]["summary"], "costly");
  for (const auto& [name, value] : seen.headers) EXPECT_EQ(value.find(routing_key), std::string::npos) << name;
}

TEST(PagerdutyReceiver, ReadsTheStatusAndRepeatsNothingOfTheAnswer) {
  std::atomic<int> status{0};
  const auto server = serve([&](const HttpRequest& request, const Responder& responder) {
    responder.send({.status = status,
                    .content_type = "text/plain",
                    .body = request.body,
                    .headers = {{"Retry-After", "30"}, {"X-Echo", routing_key}}});
  });
  for (const auto& [code, outcome] : std::map<int, DeliveryOutcome>{{200, DeliveryOutcome::delivered},
                                                                    {202, DeliveryOutcome::delivered},
                                                                    {302, DeliveryOutcome::retry},
                                                                    {400, DeliveryOutcome::rejected},
                                                                    {401, DeliveryOutcome::rejected},
                                                                    {404, DeliveryOutcome::rejected},
                                                                    {410, DeliveryOutcome::gone},
                                                                    {429, DeliveryOutcome::retry},
                                                                    {500, DeliveryOutcome::retry},
                                                                    {503, DeliveryOutcome::retry}}) {
    status = code;
    const DeliveryResult result = attempt_once(options_for(*server));
    EXPECT_EQ(result.outcome, outcome) << code;
    EXPECT_EQ(result.reason.find(routing_key), std::string::npos);
    const bool retry = outcome == DeliveryOutcome::retry;
    EXPECT_EQ(result.retry_after, retry ? std::optional<Duration>{30s} : std::nullopt) << code;
  }
}

TEST(PagerdutyReceiver, TriesAgainWhereNobodyAnswers) {
  auto server = serve([](const HttpRequest&, const Responder&) {});
  const auto options = options_for(*server);
  server.reset();
  EXPECT_EQ(attempt_once(options).outcome, DeliveryOutcome::retry);

  std::vector<Responder> kept;
  const auto hanging = serve([&](const HttpRequest&, const Responder& responder) { kept.push_back(responder); });
  auto impatient = options_for(*hanging);
  impatient.timeout = 100ms;
  const DeliveryResult result = attempt_once(impatient);
  EXPECT_EQ(result.outcome, DeliveryOutcome::retry);
  EXPECT_EQ(result.reason, "time-out");
  hanging->stop();
}

TEST(PagerdutyReceiver, DoesNotReachIntoOurOwnNetwork) {
  std::atomic<int> requests{0};
  const auto server = serve([&](const HttpRequest&, const Responder&) { ++requests; });
  auto options = options_for(*server);
  options.allow_cidrs.clear();
  EXPECT_EQ(attempt_once(options).outcome, DeliveryOutcome::retry);
  EXPECT_EQ(requests, 0);
}

TEST(PagerdutyReceiver, RejectsABodyThatIsNoPage) {
  std::atomic<int> requests{0};
  const auto server = serve([&](const HttpRequest&, const Responder&) { ++requests; });
  const DeliveryResult result = attempt_once(options_for(*server), R"({"a": "secret-looking"})");
  EXPECT_EQ(result.outcome, DeliveryOutcome::rejected);
  EXPECT_EQ(result.reason.find("secret-looking"), std::string::npos);
  EXPECT_EQ(requests, 0);
}

TEST(PagerdutyReceiver, GoesToPagerdutyUnlessToldOtherwise) {
  PagerdutyReceiver::Options options;
  options.routing_key = routing_key;
  options.wall_clock_seconds = [] { return std::int64_t{0}; };
  EXPECT_TRUE(PagerdutyReceiver::create(options));
  EXPECT_EQ(pagerduty_url, "https://events.pagerduty.com/v2/enqueue");
}

TEST(PagerdutyReceiver, ReportsEverythingThatIsWrongWithItsOptionsAndQuotesNoKey) {
  for (const std::string key : {"", "two words of it", "0123456789abcdef\r\nX: 0123456789"}) {
    PagerdutyReceiver::Options options;
    options.routing_key = key;
    options.url = "https://user:hunter2@h/";
    options.max_concurrent = 0;
    const auto refused = PagerdutyReceiver::create(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().size(), 4u);
    for (const std::string& problem : refused.error()) {
      EXPECT_TRUE(key.empty() || problem.find(key) == std::string::npos) << problem;
      EXPECT_EQ(problem.find("hunter2"), std::string::npos) << problem;
    }
  }
}

}  // namespace pagerduty_receiver_test
}  // namespace tocsin
