// An evaluate partition that is lost again and again, and restored from what it stored and the last blocks, decides
// exactly as one that was never lost: over the incidents of generated runs, and the rules that ship.

#include <gtest/gtest.h>

#include <map>

#include "app/demo/run_generator.h"
#include "app/shipped_files.h"
#include "base/hash.h"
#include "core/sanitize/pattern_library.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace evaluate_restart_test {

constexpr std::int32_t partitions = 3;

GeneratedRuns runs_of(std::uint64_t seed) {
  GeneratorOptions generator;
  generator.seed = seed;
  generator.days = 2;
  return generate_runs(generator);
}

// What evaluate reads, in one order: blocks of the partitions as they come, and findings ahead of their blocks.
struct Input {
  std::optional<Block> block;
  std::optional<UrgentFinding> finding;
};

std::vector<Input> inputs_of(const GeneratedRuns& runs, const std::shared_ptr<const RuleSet>& rules,
                             const std::shared_ptr<const PatternLibrary>& patterns,
                             const std::shared_ptr<const RuleEpochs>& epochs = nullptr) {
  std::vector<std::unique_ptr<IngestPartition>> ingest;
  for (std::int32_t p = 0; p < partitions; ++p) {
    IngestOptions options;
    options.partition = p;
    ingest.push_back(std::make_unique<IngestPartition>(options, rules, patterns,
                                                       Fingerprinter(std::vector<unsigned char>(32, 1))));
    if (epochs) ingest.back()->know(epochs);
  }
  std::vector<Input> inputs;
  IngestOutput out;
  std::int64_t offset = 0;
  RecordTime last;
  const auto take = [&] {
    for (UrgentFinding& finding : out.findings) inputs.push_back({std::nullopt, std::move(finding)});
    for (Cut& cut : out.cuts) inputs.push_back({std::move(cut.block), std::nullopt});
    out.clear();
  };
  for (const GeneratedEvent& event : runs.events) {
    RawRecord record;
    record.key = event.key;
    record.value = event.json;
    record.offset = offset++;
    record.time = last = as_record_time(event.time);
    ingest[hash64(event.key) % partitions]->apply(record, out);
    take();
  }
  for (const auto& one : ingest) {
    one->close_until(last + std::chrono::hours{2}, out);
    take();
  }
  return inputs;
}

std::vector<std::string> texts_of(const std::vector<AlertChange>& changes) {
  std::vector<std::string> texts;
  for (const AlertChange& change : changes)
    texts.push_back(to_page_json(change) + (change.sends_page ? " page" : ""));
  return texts;
}

class EvaluateRestart : public testing::Test {
 protected:
  void SetUp() override {
    Diagnostics diagnostics;
    std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
    files.insert(files.end(), shipped_demo_specs().begin(), shipped_demo_specs().end());
    rules = load_rules(files, diagnostics);
    patterns = test::shipped_patterns();
    ASSERT_FALSE(diagnostics.has_errors());
  }

  std::unique_ptr<EvaluatePartition> make(const std::string& position = {}) const {
    EvaluateOptions options;
    options.source_partitions = partitions;
    options.keeps_state = true;
    if (!epochs) return std::make_unique<EvaluatePartition>(options, rules);
    const auto number = EvaluatePartition::epoch_of(position).value_or(0);
    auto partition = std::make_unique<EvaluatePartition>(options, epochs->numbered(number)->rules);
    partition->know(epochs);
    return partition;
  }

  void compare_with_one_that_is_lost_again_and_again(std::uint64_t seed);

  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const PatternLibrary> patterns;
  std::shared_ptr<const RuleEpochs> epochs;  // null: rules do not change
};

void EvaluateRestart::compare_with_one_that_is_lost_again_and_again(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::vector<Input> inputs = inputs_of(runs_of(seed), rules, patterns, epochs);

  const auto reference = make();
  std::vector<AlertChange> expected;
  for (const Input& input : inputs) {
    if (input.block) reference->apply(*input.block, expected);
    if (input.finding) reference->apply(*input.finding, expected);
  }
  ASSERT_GT(expected.size(), 10U);

  test::Random random(seed);
  auto partition = make();
  std::vector<AlertChange> seen, since_commit;
  std::map<std::string, std::string> stored;
  std::string position;
  std::size_t committed = 0, next = 0;
  RecordTime needed;
  int restarts = 0;
  const auto commit = [&] {
    std::vector<StateRecord> changes;
    partition->take_changes(changes);
    for (StateRecord& change : changes) stored[change.key] = std::move(change.value);
    position = partition->position();
    ASSERT_LE(position.size(), 200U);
    needed = partition->needs_blocks_after();
    committed = next;
    std::move(since_commit.begin(), since_commit.end(), std::back_inserter(seen));
    since_commit.clear();
  };
  while (next < inputs.size()) {
    const Input& input = inputs[next++];
    if (input.block) partition->apply(*input.block, since_commit);
    if (input.finding) partition->apply(*input.finding, since_commit);
    if (random.below(20) == 0) commit();
    if (random.below(1'500) != 0) continue;
    // Lost: what was decided since the last commit never was.
    ++restarts;
    since_commit.clear();
    partition = make(position);
    next = committed;
    if (position.empty()) continue;
    for (const auto& [key, value] : stored) ASSERT_TRUE(partition->restore(key, value)) << key;
    ASSERT_TRUE(partition->begin_resume(position));
    for (std::size_t i = 0; i < committed; ++i) {
      if (inputs[i].block && inputs[i].block->grid > needed) partition->resume(*inputs[i].block);
    }
    partition->end_resume(since_commit);
    EXPECT_TRUE(since_commit.empty());
  }
  commit();
  EXPECT_GT(restarts, 20);
  EXPECT_EQ(texts_of(seen), texts_of(expected));
  EXPECT_EQ(partition->evaluated(), reference->evaluated());
  EXPECT_EQ(partition->active().size(), reference->active().size());
  EXPECT_EQ(partition->series().used, reference->series().used);
  EXPECT_EQ(reference->blocks_refused(), 0);
}

TEST_F(EvaluateRestart, DecidesAsOneThatWasNeverLost) {
  for (const std::uint64_t seed : test::seeds_of_long_runs(3)) compare_with_one_that_is_lost_again_and_again(seed);
}

// Rules are edited three times on the day of the incidents: thresholds, a rule that goes and comes again, a new one.
TEST_F(EvaluateRestart, RulesThatChangeOnTheWayAreFollowed) {
  const std::string shipped = shipped_rules().front().text;
  const auto replaced = [](std::string text, const std::string& from, const std::string& to) {
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string edited = replaced(replaced(shipped, "hits >= 4", "hits >= 5"), "value >= 10", "value >= 8");
  std::string without = replaced(edited, "  - alert: ErrorRateSpike", "  - alert: ErrorRateSpike2");
  without += R"(
  - alert: ManySteps
    from: step
    value: count()
    window: 30m
    baseline: {range: 6h, block: 1h, stat: mean, empty: skip, min_blocks: 3}
    when: value > 1.5 * baseline
    for: 1m
)";
  std::vector<RuleEpoch> list{{0, beginning_of_time, rules, patterns}};
  const auto add = [&](RecordTime from, const std::string& text) {
    std::vector<NamedText> files{{"agents.yaml", text}};
    files.insert(files.end(), shipped_demo_specs().begin(), shipped_demo_specs().end());
    list.push_back({static_cast<std::int64_t>(list.size()), from, test::rules_from(files), patterns});
  };
  for (const std::uint64_t seed : test::seeds_of_long_runs(3)) {
    const RecordTime end = as_record_time(runs_of(seed).events.back().time);
    list.resize(1);
    add(floor_to(end - std::chrono::hours{30}, slice_length), edited);
    add(floor_to(end - std::chrono::hours{14}, slice_length), without);
    add(floor_to(end - std::chrono::hours{6}, slice_length), shipped);
    epochs = std::make_shared<RuleEpochs>(list, 3, std::nullopt);
    compare_with_one_that_is_lost_again_and_again(seed);
  }
}

TEST_F(EvaluateRestart, RefusesWhatItDidNotStore) {
  const auto partition = make();
  EXPECT_FALSE(partition->restore("something/else", "x"));
  EXPECT_FALSE(partition->restore("series/x", "x"));
  for (const char* text : {"", "1", "2 1 1 1", "1 1 1", "1 1 1 x", "1  1 1 1"}) {
    EXPECT_FALSE(make()->begin_resume(text)) << text;
  }
  EXPECT_TRUE(make()->begin_resume("1 10000 10000 10000")) << "as the version before wrote it";
  EXPECT_TRUE(make()->begin_resume("1 10000 10000 10000 0 7")) << "the next one may say more";
}

}  // namespace evaluate_restart_test
}  // namespace tocsin
