// The three stages on their threads, joined by a log in memory: what crosses, and that nothing is lost between.

#include "runtime/service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "app/shipped_files.h"
#include "base/time_text.h"
#include "core/sanitize/shipped_patterns.h"
#include "edge/memory/memory_log.h"

namespace tocsin {
namespace service_test {

using namespace std::chrono_literals;

// A clock that the test moves; monotonic() is the machine's, as waiting is real.
class ManualClock final : public Clock {
 public:
  RecordTime now() const override { return {Duration{now_.load()}}; }
  Duration monotonic() const override {
    return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
  }
  void sleep(Duration duration) const override { std::this_thread::sleep_for(duration); }
  void set(RecordTime time) { now_ = time.since_epoch.count(); }

 private:
  std::atomic<std::int64_t> now_{1'767'571'200'000};
};

// Takes pages; refuses the first attempts where told to.
class FakeReceiver final : public Receiver {
 public:
  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) override {
    DeliveryResult result;
    result.page_id = delivery.page_id;
    if (failures_.fetch_sub(1) > 0) {
      result.outcome = DeliveryOutcome::retry;
    } else {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(delivery.body);
      ids_.push_back(delivery.page_id);
      result.outcome = DeliveryOutcome::delivered;
    }
    done(std::move(result));
  }
  void fail(int times) { failures_ = times; }
  std::vector<std::string> ids() const {
    const std::lock_guard lock(mutex_);
    return ids_;
  }
  std::vector<std::string> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ids_;
  std::vector<std::string> bodies_;
  std::atomic<int> failures_{0};
};

class ServiceTest : public testing::Test {
 protected:
  void start(std::int32_t partitions, const std::vector<DeliverLane>& lanes = {{"test", 5min}}) {
    MemoryLog::Options options;
    options.partitions = partitions;
    log_ = std::make_unique<MemoryLog>(options, clock_);
    log_->keep_for(Topic::outbox, "deliver/test");
    Diagnostics diagnostics;
    const auto rules = load_rules(shipped_rules(), diagnostics);
    const auto patterns = test::shipped_patterns();
    ASSERT_FALSE(diagnostics.has_errors());
    Service::Options service;
    service.partitions = partitions;
    service.shards = 2;
    service.delivery.first_retry = 2ms;
    const std::vector<unsigned char> key(32, 1);
    rules_ = std::make_unique<FixedRules>(rules, patterns);
    service_ = std::make_unique<Service>(service, *log_, clock_, *rules_, Fingerprinter(key),
                                         std::vector<std::vector<DeliverLane>>{lanes},
                                         ReceiversByName{{"test", &receiver_}, {"backup", &backup_}},

                                         [](const std::string&, const DeliveryResult&) {});
    partitions_ = partitions;
  }

  void post(const std::string& task, RecordTime at, const std::string& rest) {
    clock_.set(at);
    const std::string json = R"({"correlation_id":")" + task + R"(","env":"prod","agent":"support","time":")" +
                             to_rfc3339(at) + "\"," + rest + "}";
    const auto partition = static_cast<std::int32_t>(posted_++ % partitions_);
    ASSERT_TRUE(log_->append({{Topic::source, partition, task, json}}));
  }

  // Lets the wall clock go on until `until` has been evaluated.
  void settle(RecordTime until) {
    clock_.set(until + 20s);
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!service_->is_idle() || service_->evaluate()->evaluated < until) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the service does not come to rest";
      std::this_thread::sleep_for(5ms);
    }
  }

  ManualClock clock_;
  FakeReceiver receiver_;
  FakeReceiver backup_;
  std::unique_ptr<MemoryLog> log_;
  std::unique_ptr<FixedRules> rules_;
  std::unique_ptr<Service> service_;
  std::int32_t partitions_ = 1;
  std::int64_t posted_ = 0;
  RecordTime begin_ = clock_.now();
};

TEST_F(ServiceTest, ARuleOverAnAgentSeesItsEventsFromAllPartitionsTogether) {
  start(4);
  // Twelve refusals of four tasks, three on each partition: no partition alone would reach ten.
  for (int i = 0; i < 12; ++i) {
    post("task-" + std::to_string(i % 4), begin_ + 60s + i * 1s,
         R"("type":"tool.call","tool":"pay","authz":"refused")");
  }
  settle(begin_ + 400s);
  const auto bodies = receiver_.bodies();
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_NE(bodies[0].find("AuthorizationRefusalSpike"), std::string::npos);
  EXPECT_NE(bodies[0].find(R"("value":12.0)"), std::string::npos) << bodies[0];
}

TEST_F(ServiceTest, ASecretIsHaltedAndPagedWithoutWaitingForASlice) {
  start(1);
  receiver_.fail(3);
  for (int i = 0; i < 9; ++i) {
    post("task", begin_ + i * 1ms,
         R"("type":"step","content":{"o":"AKIA)"
         R"(QX7TZ4NWB2MD5KRY"})");
  }
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (receiver_.ids().empty()) {  // the clock stands still: no slice closes
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(1ms);
  }
  std::vector<LogRecord> halts;
  log_->fetch(Topic::halts, 0, 0, 100, halts);
  ASSERT_EQ(halts.size(), 1u);
  settle(begin_ + 10s);
  EXPECT_EQ(receiver_.ids().size(), 1u) << "the copies in the block page nobody again";
  halts.clear();
  log_->fetch(Topic::halts, 0, 0, 100, halts);
  ASSERT_EQ(halts.size(), 1u) << "one key of the compacted topic";
  EXPECT_NE(halts[0].value.find(R"("count":9)"), std::string::npos);
}

TEST_F(ServiceTest, WhatAReceiverDoesNotTakeGoesToItsFallbackAndToItselfOnceItIsBack) {
  start(1, {{"test", 50ms}, {"backup", 5min}});
  receiver_.fail(1'000'000);
  post("task", begin_,
       R"("type":"step","content":{"o":"AKIA)"
       R"(QX7TZ4NWB2MD5KRY"})");
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (backup_.ids().empty()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(receiver_.ids().empty());
  receiver_.fail(0);
  settle(begin_ + 10s);
  EXPECT_EQ(receiver_.ids(), backup_.ids()) << "one page, one id";
  EXPECT_EQ(receiver_.bodies(), backup_.bodies());
  const auto views = service_->receivers();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[0].figures.delivered, 1);
  EXPECT_GT(views[0].figures.failed_attempts, 0);
  EXPECT_EQ(views[1].receiver, "backup");
  EXPECT_EQ(views[1].figures.delivered, 1);
  EXPECT_EQ(views[0].figures.pending + views[1].figures.pending, 0u);
}

TEST_F(ServiceTest, StopsAtOnceWhileAReceiverFails) {
  start(2);
  receiver_.fail(1'000'000);
  post("task", begin_,
       R"("type":"step","content":{"o":"AKIA)"
       R"(QX7TZ4NWB2MD5KRY"})");
  const auto before = std::chrono::steady_clock::now();
  service_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
}

}  // namespace service_test
}  // namespace tocsin
