// Real telemetry, as real SDKs and a real Collector wrote it, beside the project: read whole, the figures are those
// that were counted at the model and in the tools. Skipped where the data is not there.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "app/record_reader.h"
#include "app/shipped_files.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/test_support.h"
#include "runtime/joined_stages.h"

namespace tocsin {
namespace {

using Json = nlohmann::json;

std::filesystem::path data() {
  return std::filesystem::path(PROJECT_ROOT) / "../shared/data";
}

std::string from_base64(const std::string& text) {
  std::string bytes(text.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
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
      reading.apply(key, from_base64(record.at("value_b64").get<std::string>()));
    }
    EXPECT_EQ(reading.figures(), shown(truth));
    EXPECT_EQ(reading.totals().all_dead_letters(), 0);
    EXPECT_EQ(reading.halts.size(), 9U) << "one for each task's planted key";
  }
}

// Those that post OTLP traces without compression.
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
      const std::string body = from_base64(request.at("body_b64").get<std::string>());
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

}  // namespace
}  // namespace tocsin
