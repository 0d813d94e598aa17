// Sanitized events as spans: what goes out comes in again, with the same figures.

#include "core/sanitize/sanitized_event_otlp.h"

#include <gtest/gtest.h>

#include "core/event/native_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace sanitized_event_otlp_test {

using namespace std::chrono_literals;

class Spans {
 public:
  Spans() : sanitizer_(test::shipped_patterns(), key()) {}
  static Fingerprinter key() { return Fingerprinter(std::vector<unsigned char>(32, 7)); }

  std::string of(const std::string& json) {
    const auto event = decoder_.decode(json);
    EXPECT_TRUE(event);
    const SanitizedEvent& clean = sanitizer_.sanitize(*event.value());
    return to_otlp(clean, std::nullopt, sanitizer_.reference(*event.value(), TextPlace::content),
                   sanitizer_.reference(*event.value(), TextPlace::argument));
  }

 private:
  NativeDecoder decoder_;
  EventSanitizer sanitizer_;
};

const std::vector<std::string> events = {
    R"({"type":"task.started","time":"2026-01-05T00:00:00Z","correlation_id":"t-1","env":"prod","agent":"support"})",
    R"({"type":"step","time":"2026-01-05T00:00:05Z","event_id":"e1","correlation_id":"t-1","env":"prod","agent":"support",)"
    R"("model":"m","model_version":"2","tokens_in":100,"tokens_cached":60,"tokens_out":7,"cost_usd":0.25,"generation_ms":900})",
    R"({"type":"step","time":"2026-01-05T00:00:06Z","correlation_id":"t-1","step_type":"final"})",
    R"({"type":"tool.call","time":"2026-01-05T00:00:08Z","event_id":"e2","correlation_id":"t-1","env":"prod","agent":"support",)"
    R"("tool":"search","latency_ms":1500,"authz":"refused","error_type":"denied"})",
    R"({"type":"task.finished","time":"2026-01-05T00:00:20Z","correlation_id":"t-1","env":"prod","agent":"support",)"
    R"("outcome":"surfaced","started_at":"2026-01-05T00:00:00Z"})"};

TEST(SpansOut, CallsAndEndsAreSpansAndComeInAgain) {
  Spans spans;
  IngestOptions options;
  options.publish_events = true;
  IngestPartition ingest(options, test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: Cost, from: step, value: count(), window: 1h, when: value > 5}
)"),
                         test::shipped_patterns(), Spans::key());
  IngestOutput out;
  int count = 0;
  for (const std::string& event : events) {
    const std::string span = spans.of(event);
    if (span.empty()) continue;
    ingest.apply({{}, span, test::at(1s), count++}, out);
  }
  EXPECT_EQ(count, 3) << "beginnings and markers are no spans";
  EXPECT_TRUE(out.dead_letters.empty());
  const StreamTotals& totals = ingest.totals();
  EXPECT_EQ(totals.model_calls, 1);
  EXPECT_EQ(totals.tokens_in, 100);
  EXPECT_EQ(totals.tokens_cached, 60);
  EXPECT_EQ(totals.tokens_out, 7);
  EXPECT_EQ(totals.cost, 250'000);
  EXPECT_EQ(totals.tool_calls, 1);
  EXPECT_EQ(totals.tool_errors, 1);
  EXPECT_EQ(totals.surfaces, 1);
  EXPECT_EQ(totals.tasks, 1) << "they are of one task";
  bool refused = false, latency = false, began = false;
  for (const auto& [key, one] : out.published) {
    refused = refused || one.find(R"("authz":"refused")") != std::string::npos;
    latency = latency || one.find(R"("latency_ms":1500)") != std::string::npos;
    began = began || one.find(R"("type":"task.started","time":"2026-01-05T00:00:00.000Z")") != std::string::npos;
    EXPECT_NE(one.find(R"("correlation_id":"t-1")"), std::string::npos) << one;
    EXPECT_NE(one.find(R"("agent":"support")"), std::string::npos) << one;
    EXPECT_NE(one.find(R"("env":"prod")"), std::string::npos) << one;
  }
  EXPECT_TRUE(refused && latency && began);
}

TEST(SpansOut, TimesThatOpenTelemetryDoesNotHaveAreItsFirstOrLast) {
  Spans spans;
  for (const char* time : {"1969-01-05T00:00:05Z", "2300-01-05T00:00:05Z", "9999-01-05T00:00:05Z"}) {
    EXPECT_FALSE(spans
                     .of(std::string(R"({"type":"step","time":")") + time +
                         R"(","correlation_id":"t","tokens_in":1,"generation_ms":5})")
                     .empty());
  }
}

TEST(SpansOut, IdsOfOpenTelemetrysStay) {
  Spans spans;
  const std::string json =
      R"({"type":"step","time":"2026-01-05T00:00:05Z","correlation_id":"5b8efff798038103d269b633813fc60c",)"
      R"("span_id":"eee19b7ec3c1b174","parent_span_id":"eee19b7ec3c1b173","tokens_in":1})";
  const std::string span = spans.of(json);
  EXPECT_NE(span.find("\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c"), std::string::npos);
  EXPECT_NE(span.find("\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74"), std::string::npos);
  EXPECT_NE(span.find("\xee\xe1\x9b\x7e\xc3\xc1\xb1\x73"), std::string::npos);
  EXPECT_EQ(span, spans.of(json)) << "the same each time";
}

}  // namespace sanitized_event_otlp_test
}  // namespace tocsin
