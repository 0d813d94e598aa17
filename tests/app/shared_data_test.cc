// Real telemetry, as real SDKs and a real Collector wrote it, beside the project: read whole, the figures are those
// that were counted at the model and in the tools. Skipped where the data is not there.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "app/http_recording.h"
#include "app/record_reader.h"
#include "app/shipped_files.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/receive_stage.h"
#include "core/test_support.h"
#include "edge/http/base64.h"
#include "runtime/joined_stages.h"

namespace tocsin {
namespace shared_data_test {

using Json = nlohmann::json;

std::filesystem::path data() {
  return std::filesystem::path(PROJECT_ROOT) / "../shared/data";
}

// All records through all stages, under the rules that ship.
class Reading {
 public:
  Reading()
      : stages_(options(), {}, test::rules_from({shipped_rules().begin(), shipped_rules().end()}),
                test::shipped_patterns(), Fingerprinter(std::vector<unsigned char>(32, 1))) {}

  void apply(std::string_view key, std::string_view value) {
    RawRecord record;
    record.key = key;
    record.value = value;
    record.offset = offset_++;
    stages_.apply(record, out_);
    take();
  }
  void file(const std::filesystem::path& path) {
    auto reader = RecordReader::open(path.string());
    ASSERT_TRUE(reader) << path;
    while (const auto line = reader.value()->next()) apply(line->key, line->value);
  }

  Json figures() const {
    const StreamTotals& totals = stages_.ingest().totals();
    return {{"tasks", totals.tasks},
            {"model_calls", totals.model_calls},
            {"tokens_in", totals.tokens_in},
            {"tokens_cached", totals.tokens_cached},
            {"tokens_out", totals.tokens_out},
            {"tool_calls", totals.tool_calls},
            {"tool_errors", totals.tool_errors}};
  }
  const StreamTotals& totals() const { return stages_.ingest().totals(); }

  std::set<std::string> halts;  // their ids
  std::vector<std::string> alerts;

 private:
  static IngestOptions options() {
    IngestOptions options;
    options.deployment = "data";
    return options;
  }
  void take() {
    for (const HaltRecord& halt : out_.ingest.halts) halts.insert(halt.id);
    for (const auto& list : {out_.by_time, out_.at_once}) {
      for (const AlertChange& change : list) alerts.push_back(change.alert);
    }
    out_.clear();
  }

  JoinedStages stages_;
  JoinedStages::Output out_;
  std::int64_t offset_ = 0;
};

Json shown(const Json& truth) {
  Json figures;
  for (const char* name : {"model_calls", "tokens_in", "tokens_cached", "tokens_out", "tool_calls", "tool_errors"}) {
    figures[name] = truth.at("shown").at(name);
  }
  figures["tasks"] = truth.contains("total") ? truth.at("total").at("tasks") : truth.at("tasks");
  return figures;
}

Json json_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

TEST(SharedData, TheAirlineRunsSayTheSameInThreeEncodings) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  const Json truth = json_of(data() / "airline/truth.json");
  for (const char* file : {"events.jsonl", "otlp_json.jsonl", "otlp_proto.hex"}) {
    SCOPED_TRACE(file);
    Reading reading;
    reading.file(data() / "airline" / file);
    EXPECT_EQ(reading.totals().tasks, truth["tasks"]);
    EXPECT_EQ(reading.totals().model_calls, truth["steps"]);
    EXPECT_EQ(reading.totals().tokens_in, truth["tokens_in"]);
    EXPECT_EQ(reading.totals().tokens_out, truth["tokens_out"]);
    EXPECT_EQ(reading.totals().tool_errors, truth["tool_errors"]);
    EXPECT_EQ(reading.totals().cost, truth["cost_micro_usd"]);
    EXPECT_EQ(reading.totals().surfaces, truth["outcomes"]["surfaced"]);
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
    EXPECT_TRUE(reading.alerts.empty());
    EXPECT_TRUE(reading.halts.empty());
  }
}

// What leaves is the same to the byte, whichever way OTLP is written; native events say of every call what it says.
TEST(SharedData, TheAirlineRunsGiveTheSameSanitizedEvents) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  const auto published = [&](const char* file) {
    IngestOptions options;
    options.deployment = "data";
    options.publish_events = true;
    IngestPartition ingest(options, test::rules_from({shipped_rules().begin(), shipped_rules().end()}),
                           test::shipped_patterns(), Fingerprinter(std::vector<unsigned char>(32, 1)));
    IngestOutput out;
    std::vector<std::string> list;
    auto reader = RecordReader::open((data() / "airline" / file).string());
    while (const auto line = reader.value()->next()) {
      RawRecord record;
      record.key = line->key;
      record.value = line->value;
      record.offset = line->number;
      ingest.apply(record, out);
      for (const PublishedEvent& one : out.published) list.push_back(one.value);
      out.clear();
    }
    return list;
  };
  const auto json = published("otlp_json.jsonl"), protobuf = published("otlp_proto.hex");
  ASSERT_EQ(json.size(), protobuf.size());
  EXPECT_EQ(json, protobuf);
  // By task and time; native events have no spans, and other content.
  std::multimap<std::string, Json> native;
  for (const std::string& text : published("events.jsonl")) {
    const Json event = Json::parse(text);
    if (event["type"] == "step")
      native.emplace(event["correlation_id"].get<std::string>() + event["time"].get<std::string>(), event);
  }
  std::size_t steps = 0;
  for (const std::string& text : json) {
    const Json event = Json::parse(text);
    if (event["type"] != "step") continue;
    ++steps;
    const auto same = native.find(event["correlation_id"].get<std::string>() + event["time"].get<std::string>());
    ASSERT_NE(same, native.end()) << text;
    for (const char* field : {"agent", "env", "spec", "model", "model_version", "step_type", "tokens_in",
                              "tokens_out", "cost_usd", "ttft_ms"}) {
      EXPECT_EQ(event.value(field, Json()), same->second.value(field, Json())) << field << " of " << text;
    }
  }
  EXPECT_EQ(steps, native.size());
}

TEST(SharedData, RecordsOfACollector) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  const Json truth = json_of(data() / "kafka/truth.json");
  for (const char* file : {"otlp_spans_proto.jsonl", "otlp_spans_json.jsonl", "otlp_spans_keyed.jsonl"}) {
    SCOPED_TRACE(file);
    Reading reading;
    std::ifstream in(data() / "kafka" / file);
    for (std::string line; std::getline(in, line);) {
      const Json record = Json::parse(line);
      const std::string key = record.at("key").is_string() ? record.at("key").get<std::string>() : std::string{};
      reading.apply(key, from_base64(record.at("value_b64").get<std::string>()).value());
    }
    EXPECT_EQ(reading.figures(), shown(truth));
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
    EXPECT_EQ(reading.halts.size(), 9U) << "one for each task's planted key";
  }
  // Spans on one topic and logs on another: the logs add nothing that is counted, and hold the keys once more.
  for (const char* file : {"otlp_logs_proto.jsonl", "otlp_logs_json.jsonl", "otlp_logs_keyed.jsonl"}) {
    SCOPED_TRACE(file);
    Reading reading;
    std::ifstream in(data() / "kafka" / file);
    for (std::string line; std::getline(in, line);) {
      reading.apply({}, from_base64(Json::parse(line).at("value_b64").get<std::string>()).value());
    }
    EXPECT_EQ(reading.totals().model_calls, 0);
    EXPECT_EQ(reading.totals().tool_calls, 0);
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
    EXPECT_GT(reading.halts.size(), 0U);
  }
}

// What a door makes of a recorded request, as `replay --input-format http` runs it.
TEST(SharedData, RequestsOfAllClientsShowWhatTheirTruthSays) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  const Json truth = json_of(data() / "http/truth.json");
  ReceiveStage door(test::shipped_patterns(), Fingerprinter(std::vector<unsigned char>(32, 1)), 16 << 20);
  int clients = 0;
  for (const auto& [name, own] : truth.items()) {
    SCOPED_TRACE(name);
    Reading reading;
    std::string wire;
    std::ifstream in(data() / "http" / (name + ".jsonl"));
    for (std::string line; std::getline(in, line);) {
      const auto recording = HttpRecording::parse(line);
      ASSERT_TRUE(recording);
      if (recording->method == "GET") continue;
      recording->with_upload([&](const Upload& upload) {
        const Received& received = door.apply(upload);
        EXPECT_FALSE(received.error) << upload.path << ": " << name_of(*received.error);
        for (const ReceivedRecord& record : received.records) {
          reading.apply(record.key, record.value);
          wire += record.key + "\t" + record.value + "\n";
        }
      });
    }
    ++clients;
    EXPECT_EQ(reading.figures(), shown(own));
    EXPECT_EQ(reading.halts.size(), 1U);
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
    for (const char* planted : {"jane.roe@example.com", "PLANTD27", "wT9fKe3PLANTED7qZr4vKd"}) {
      EXPECT_EQ(wire.find(planted), std::string::npos) << planted << " goes to the bus";
    }
    EXPECT_NE(wire.find("\"redactions\""), std::string::npos);
  }
  EXPECT_EQ(clients, 28);
}

// Traces that Langfuse exported, by framework: of calls one in the other the innermost, tools by their names.
TEST(SharedData, ExportsOfVendors) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  struct Expected {
    const char* file;
    std::int64_t calls, in, out, tools;
  };
  constexpr Expected files[] = {
      {"langfuse/agno-2025-06-11.trace.json", 2, 826, 245, 1},
      {"langfuse/crewai-2025-07-11.trace.json", 1, 190, 164, 0},
      {"langfuse/google-adk-2025-08-28.trace.json", 2, 67, 9, 1},
      {"langfuse/koog-2025-08-26.trace.json", 2, 215, 125, 0},
      {"langfuse/langgraph-python-2025-08-22.trace.json", 2, 168, 66, 1},
      {"langfuse/pydantic-ai-tools-2025-12-04.trace.json", 4, 1315, 209, 3},
      {"langfuse/vercel-aisdk-2025-11-17.trace.json", 1, 62, 85, 1},
      {"langsmith/langsmith_py_wrap_openai_.json", 1, 9, 9, 0},
      {"langsmith/langsmith_js_wrap_openai_stream.json", 1, 9, 9, 0},
      {"datadog/tests.contrib.vllm.test_vllm_llmobs.test_llmobs_chat.json", 1, 0, 0, 0},
  };
  for (const Expected& expected : files) {
    SCOPED_TRACE(expected.file);
    Reading reading;
    reading.file(data() / "vendors" / expected.file);
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
    EXPECT_EQ(reading.totals().tasks, 1);
    EXPECT_EQ(reading.totals().model_calls, expected.calls);
    EXPECT_EQ(reading.totals().tokens_in, expected.in);
    EXPECT_EQ(reading.totals().tokens_out, expected.out);
    EXPECT_EQ(reading.totals().tool_calls, expected.tools);
  }
}

// Spans of OpenTelemetry in other JSON than OTLP, and those that real instrumentations wrote, inside a wrapper.
TEST(SharedData, SpansInOtherJson) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  Reading jaeger, printed;
  jaeger.file(data() / "otlp/agentevals/k8s.json");
  EXPECT_EQ(jaeger.totals().model_calls, 1);
  EXPECT_EQ(jaeger.totals().tokens_in, 2203);
  printed.file(data() / "otlp/openinference/vercel_v6_all-spans.json");
  EXPECT_EQ(printed.totals().all_dead_letters(), 0);
  EXPECT_EQ(printed.totals().model_calls, 4);
  // Each file holds other calls of one program.
  const std::map<std::string, std::int64_t> tokens{{"otel", 119}, {"openinference", 58}, {"traceloop", 58}};
  for (const auto& [name, expected] : tokens) {
    const Json file = json_of(data() / "otlp/generated" / ("js_openai_" + name + ".json"));
    Reading reading;
    reading.apply({}, file.at("otlp_json").dump());
    EXPECT_EQ(reading.totals().all_dead_letters(), 0) << name;
    EXPECT_EQ(reading.totals().tokens_in, expected) << name;
  }
}

// Those that post OTLP traces without compression, as records of a topic.
TEST(SharedData, RequestsOfClientsThatWriteOtlp) {
  if (!std::filesystem::exists(data())) GTEST_SKIP() << "no shared data beside the project";
  const Json truth = json_of(data() / "http/truth.json");
  int clients = 0;
  for (const auto& [name, own] : truth.items()) {
    SCOPED_TRACE(name);
    Reading reading;
    bool has_traces = false, has_other = false;
    std::ifstream in(data() / "http" / (name + ".jsonl"));
    for (std::string line; std::getline(in, line);) {
      const Json request = Json::parse(line);
      const auto path = request.at("path").get<std::string>();
      const std::string body = from_base64(request.at("body_b64").get<std::string>()).value();
      const bool is_trace = path.ends_with("/v1/traces") || path.ends_with("/v1/trace/log-python");
      if (!is_trace || body.starts_with("\x1f\x8b")) {
        has_other = has_other || (is_trace && !body.empty());
        continue;
      }
      has_traces = true;
      reading.apply({}, body);
    }
    if (!has_traces || has_other) continue;
    ++clients;
    EXPECT_EQ(reading.figures(), shown(own));
    EXPECT_EQ(reading.halts.size(), 1U);
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
  }
  EXPECT_EQ(clients, 15);
}

}  // namespace shared_data_test
}  // namespace tocsin
