// A record that nobody survived reading: it is passed over, and said.

#include <gtest/gtest.h>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace poison_record_test {

using namespace std::chrono_literals;
using test::at;

class Poison : public testing::Test {
 protected:
  static RawRecord record(Duration time, std::int64_t offset) {
    return {"t1", R"({"type":"step","agent":"support"})", at(time), offset};
  }

  std::shared_ptr<const RuleSet> rules =
      test::rules_from("groups: [{name: g, rules: [{alert: Over, mode: task, when: elapsed > 5m}]}]");
  IngestPartition stage{IngestOptions{}, rules, test::shipped_patterns(),
                        Fingerprinter(std::vector<unsigned char>(32, 7))};
  IngestOutput out;
};

TEST_F(Poison, CountsInItsSliceAndStandsInTheBlockAlone) {
  stage.apply(record(1s, 0), out);
  stage.pass_over(record(12s, 1), "runs/0@1", out);
  stage.apply(record(13s, 2), out);
  stage.close_until(at(20s), out);
  EXPECT_TRUE(out.findings.empty()) << "ahead of the commit nobody may hear of it";
  ASSERT_EQ(out.dead_letters.size(), 1U);
  EXPECT_EQ(out.dead_letters[0].offset, 1);
  EXPECT_EQ(name_of(out.dead_letters[0].reason), "gave_up");
  ASSERT_EQ(out.cuts.size(), 2U) << "its stamp closes the slice before it";
  EXPECT_EQ(out.cuts[0].block.records, 1);
  EXPECT_EQ(out.cuts[1].block.records, 2);
  EXPECT_EQ(out.cuts[1].next_offset, 3);
  ASSERT_EQ(out.cuts[1].block.findings.size(), 1U);
  EXPECT_EQ(out.cuts[1].block.findings[0].place, "runs/0@1");
  EXPECT_EQ(stage.totals().records, 3);
  EXPECT_EQ(stage.totals().events, 2);
}

TEST_F(Poison, IsOnePageHoweverOftenItsBlockComes) {
  stage.pass_over(record(1s, 0), "runs/0@0", out);
  stage.close_until(at(10s), out);
  const auto block = decode_block(encode(out.cuts.at(0).block));
  ASSERT_TRUE(block);
  EvaluatePartition evaluate({"eu1", 1, ""}, rules);
  std::vector<AlertChange> changes;
  evaluate.apply(*block, changes);
  evaluate.apply(*block, changes);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].alert, "PoisonRecord");
  EXPECT_TRUE(changes[0].sends_page);
  EXPECT_EQ(changes[0].labels[0], (std::pair<std::string, std::string>{"record", "runs/0@0"}));
}

}  // namespace poison_record_test
}  // namespace tocsin
