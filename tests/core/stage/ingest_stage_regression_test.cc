// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace ingest_stage_regression_test {

using namespace std::chrono_literals;
using test::at;

struct Fixture {
  std::shared_ptr<const RuleSet> rules = test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [env, agent, correlation_id, secret.pattern], actions: [{halt: task}, page]}
)");
  std::vector<unsigned char> secret = std::vector<unsigned char>(32, 7);
  IngestPartition stage{{}, rules, test::shipped_patterns(), Fingerprinter(secret)};
  IngestOutput out;
};

TEST(IngestStage, ABlockCountsTheRecordsOfItsOwnSlice) {
  Fixture f;
  const std::string json = R"({"type":"step","correlation_id":"t","agent":"a"})";
  f.stage.apply({{}, json, at(1s), 0}, f.out);
  f.stage.apply({{}, json, at(2s), 1}, f.out);
  f.stage.apply({{}, json, at(12s), 2}, f.out);
  f.stage.close_until(at(20s), f.out);
  ASSERT_EQ(f.out.cuts.size(), 2u);
  EXPECT_EQ(f.out.cuts[0].block.records, 2);
  EXPECT_EQ(f.out.cuts[1].block.records, 1);
}

TEST(IngestStage, ANulInAKeyWritesNoLabels) {
  Fixture f;
  const std::string json = R"({"type":"step","env":"prod","agent":"a","content":")" + test::github_token + "\"}";
  const std::string key("t1\0harmless", 11);
  f.stage.apply({key, json, at(1s), 0}, f.out);
  EvaluatePartition evaluate({"eu1", 1, ""}, f.rules);
  std::vector<AlertChange> changes;
  for (const UrgentFinding& finding : f.out.findings) evaluate.apply(finding, changes);
  for (const AlertChange& change : changes) {
    for (const auto& [name, value] : change.labels) {
      if (name == "secret_pattern") {
        EXPECT_NE(value, "harmless");
      }
    }
  }
}

}  // namespace ingest_stage_regression_test
}  // namespace tocsin
