// Telemetry that comes under any key: a task's events go out under its own, and what is written twice counts once.

#include "core/stage/rekey_stage.h"

#include <gtest/gtest.h>

#include <set>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace rekey_stage_test {

using namespace std::chrono_literals;

Fingerprinter fingerprinter() {
  return Fingerprinter(std::vector<unsigned char>(32, 7));
}

// Two tasks in one record, as the Collector writes them by default; one of them leaks a key.
std::string two_tasks() {
  std::string spans;
  for (const char* trace : {"01", "02"}) {
    const std::string id = std::string(30, '0') + trace;
    spans += spans.empty() ? "" : ",";
    spans +=
        R"({"traceId":")" + id + R"(","spanId":"00000000000000)" + trace +
        R"(","name":"invoke_agent a","startTimeUnixNano":"1767571200000000000","endTimeUnixNano":"1767571201000000000",)"
        R"("attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"invoke_agent"}},)"
        R"({"key":"note","value":{"stringValue":")" +
        (trace == std::string("02") ? std::string("AK") + "IAQYLPMN5HHHFPZAM2" : std::string("nothing")) + R"("}}]})";
  }
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + spans + "]}]}]}";
}

TEST(Rekey, EachTaskOfARecordGoesOutUnderItsOwnKeyAndWithoutItsSecret) {
  RekeyStage stage(test::shipped_patterns(), fingerprinter());
  const Rekeyed& rekeyed = stage.apply({}, two_tasks(), "spans/0@7");
  ASSERT_FALSE(rekeyed.error);
  ASSERT_EQ(rekeyed.records.size(), 4U);
  std::set<std::string> keys;
  bool tells = false;
  for (const ReceivedRecord& one : rekeyed.records) {
    keys.insert(one.key);
    EXPECT_EQ(one.value.find("QYLPMN5HHHFPZAM2"), std::string::npos) << one.value;
    tells = tells || one.value.find("aws.access_key") != std::string::npos;
  }
  EXPECT_EQ(keys, (std::set<std::string>{std::string(30, '0') + "01", std::string(30, '0') + "02"}));
  EXPECT_TRUE(tells) << "what was found goes with it";
  EXPECT_FALSE(rekeyed.was_keyed);
}

TEST(Rekey, WhatIsWrittenTwiceCountsOnce) {
  RekeyStage stage(test::shipped_patterns(), fingerprinter());
  const auto rules = test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: Cost, from: step, value: count(), window: 1h, when: value > 5}
)");
  IngestPartition ingest({}, rules, test::shipped_patterns(), fingerprinter());
  IngestOutput out;
  std::int64_t offset = 0;
  const auto read = [&](const std::string& value, const std::string& place) {
    // A process that is killed after it wrote, and before it committed, leaves the next one to write it again.
    for (int i = 0; i < 2; ++i) {
      for (const ReceivedRecord& one : stage.apply("7", value, place).records) {
        ingest.apply({one.key, one.value, test::at(1s), offset++}, out);
      }
    }
  };
  const std::string step = R"({"type":"step","correlation_id":"t","tokens_in":5})";
  read(step, "events/0@1");
  read(step, "events/0@2");
  read(two_tasks(), "spans/0@3");
  EXPECT_EQ(ingest.totals().model_calls, 2) << "two records that say the same are two calls";
  EXPECT_EQ(ingest.totals().tasks, 3);
}

TEST(Rekey, WhatCantBeReadSaysWhyAndWhatWasKeyedIsKnown) {
  RekeyStage stage(test::shipped_patterns(), fingerprinter());
  EXPECT_EQ(stage.apply("t", "{", "a/0@1").error, DecodeError::not_json);
  EXPECT_TRUE(stage.apply("t", R"({"type":"step","correlation_id":"t"})", "a/0@2").was_keyed);
  EXPECT_FALSE(stage.apply("u", R"({"type":"step","correlation_id":"t"})", "a/0@3").was_keyed);
}

}  // namespace rekey_stage_test
}  // namespace tocsin
