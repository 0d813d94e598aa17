// A partition that was restored goes on exactly as the one that was lost.

#include "core/stage/ingest_state.h"

#include <gtest/gtest.h>

#include <map>

#include "app/demo/run_generator.h"
#include "app/shipped_files.h"
#include "base/wire.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/unknown_sections.h"
#include "core/test_support.h"

namespace tocsin {
namespace ingest_state_test {

using namespace std::chrono_literals;
using test::at;
using test::rules_from;
using test::text_at;

IngestOptions options() {
  IngestOptions options;
  options.deployment = "eu1";
  options.halts.enforce = true;
  options.expects_keys = true;
  options.source = "agent-events";
  return options;
}

std::unique_ptr<IngestPartition> new_partition(std::shared_ptr<const RuleSet> rules) {
  return std::make_unique<IngestPartition>(options(), std::move(rules), test::shipped_patterns(),
                                           Fingerprinter(std::vector<unsigned char>(32, 7)));
}

constexpr std::string_view counting_rules = R"(
groups:
- name: counts
  rules:
  - {alert: Loop, mode: task, from: tool.call, per: [tool, arguments.hash], value: count(), window: 2m, when: value >= 2}
  - {alert: Tools, mode: task, from: tool.call, where: tool != "search", per: [tool], value: count(), window: 10m, when: value >= 2 && elapsed > 1m}
  - {alert: Spends, mode: task, from: step, value: sum(cost), when: value > 0.05 && elapsed > 30s}
  - {alert: Steps, mode: task, from: step, per: [model], value: count(), when: value >= 4}
)";

std::shared_ptr<const RuleSet> shipped() {
  std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
  files.insert(files.end(), shipped_demo_specs().begin(), shipped_demo_specs().end());
  files.push_back({"counts.yaml", std::string(counting_rules)});
  return rules_from(files);
}

// The compacted topic and the committed position, as a transaction leaves them.
struct Stored {
  std::map<std::string, std::string> compacted;
  std::vector<StateRecord> log;  // the same, before any compaction
  std::string position;
  std::int64_t next_offset = 0;
  std::size_t next_step = 0;

  void commit(IngestPartition& partition, std::int64_t offset) {
    std::vector<StateRecord> changes;
    partition.take_changes(changes);
    for (StateRecord& change : changes) {
      if (change.value.empty()) {
        compacted.erase(change.key);
      } else {
        compacted[change.key] = change.value;
      }
      log.push_back(std::move(change));
    }
    position = partition.position();
    next_offset = offset;
  }

  // Where keys differ a log cleaner keeps the order; nothing may depend on it.
  std::unique_ptr<IngestPartition> restore(std::shared_ptr<const RuleSet> rules, test::Random& random) const {
    auto partition = new_partition(std::move(rules));
    if (position.empty()) return partition;
    if (random.below(2) == 0) {
      for (const StateRecord& record : log) EXPECT_TRUE(partition->restore(record.key, record.value)) << record.key;
    } else {
      std::vector<std::pair<std::string, std::string>> records(compacted.begin(), compacted.end());
      random.shuffle(records);
      for (const auto& [key, value] : records) EXPECT_TRUE(partition->restore(key, value)) << key;
    }
    EXPECT_TRUE(partition->resume(position, next_offset));
    return partition;
  }

  std::size_t count(std::string_view prefix) const {
    std::size_t found = 0;
    for (const auto& [key, value] : compacted) found += key.starts_with(prefix) ? 1 : 0;
    return found;
  }
};

// What happens to a partition, in order: a record, or its end is reached.
struct Step {
  std::string key;
  std::string json;
  RecordTime time;
  bool is_ahead = false;
  bool is_close = false;
};

// A credential of its own for each call.
std::string aws_key(test::Random& random) {
  std::string key = "AKIA";
  for (int i = 0; i < 16; ++i) key += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[random.below(32)];
  return key;
}

std::string step_json(const std::string& task, RecordTime time, const std::string& content) {
  return R"({"type":"step","time":")" + to_rfc3339(as_event_time(time)) + R"(","correlation_id":")" + task +
         R"(","env":"prod","agent":"customer-support","content":")" + content + "\"}";
}

// Generated runs as a source partition has them: late, twice, broken, ahead, without keys, and silent for a while.
std::vector<Step> steps_of(std::uint64_t seed) {
  GeneratorOptions generator;
  generator.seed = seed;
  generator.days = 2;
  const GeneratedRuns runs = generate_runs(generator);
  test::Random random(seed);
  std::vector<Step> steps;
  RecordTime latest = as_record_time(runs.events.front().time);
  for (std::size_t i = 0; i < runs.events.size(); ++i) {
    const GeneratedEvent& event = runs.events[i];
    const RecordTime time = as_record_time(event.time) + Duration{random.below(4'000)};
    if (time - latest > 15s && random.below(3) == 0) steps.push_back({"", "", time - 1s, false, true});
    latest = std::max(latest, time);
    Step step{event.key, event.json, time};
    const std::int64_t chance = random.below(1'000);
    if (chance < 3) {
      step.json.resize(step.json.size() / 2);
    } else if (chance < 6) {
      step.is_ahead = true;
      step.time = time + 2h;
    } else if (chance < 8) {
      step.time = time + 24h * 60;  // a broken clock that nobody noticed
    } else if (chance < 11) {
      step.key.clear();
    }
    steps.push_back(std::move(step));
    if (chance >= 980)
      steps.push_back(steps[steps.size() - 1 - static_cast<std::size_t>(random.below(20)) % steps.size()]);
    if (i % 5'000 == 4'000) {
      // Many secrets at once, some of which come again much later: halts reach their limits.
      for (int j = 0; j < 12; ++j) {
        const std::string task = "leak-" + std::to_string(i) + "-" + std::to_string(j);
        steps.push_back({task, step_json(task, time, aws_key(random)), time + j * 1s});
      }
      steps.push_back(steps[steps.size() - 3]);
      for (int j = 0; j < 15; ++j) steps.push_back({"", step_json("unkeyed", time, "x"), time + j * 1s});
    }
    if (i == runs.events.size() * 9 / 10 && seed % 2 == 0) {
      const Step leap{"", R"({"type":"system","agent":"a"})", time + 24h * 40};
      for (int j = 0; j < 30; ++j) steps.push_back(leap);
    }
  }
  steps.push_back({"", "", latest + 24h * 100, false, true});
  return steps;
}

std::string text_of(const IngestOutput& out, bool with_cuts = true) {
  std::string text;
  for (const Cut& cut : out.cuts) {
    if (with_cuts) text += encode(cut.block) + " next " + std::to_string(cut.next_offset) + "\n";
  }
  for (const HaltRecord& halt : out.halts) {
    UrgentFinding carrier;
    carrier.halt = halt;
    text += "halt " + encode(carrier) + "\n";
  }
  for (const UrgentFinding& finding : out.findings) text += "finding " + encode(finding) + "\n";
  return text;
}

RawRecord record_of(const Step& step, std::size_t offset) {
  RawRecord record;
  record.key = step.key;
  record.value = step.json;
  record.time = step.time;
  record.offset = static_cast<std::int64_t>(offset);
  record.time_is_ahead = step.is_ahead;
  return record;
}

TEST(IngestState, APartitionThatIsLostAgainAndAgainGoesOnAsOneThatIsNot) {
  const auto rules = shipped();
  for (const std::uint64_t seed : test::seeds_of_long_runs(3)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    const std::vector<Step> steps = steps_of(seed);
    test::Random random(seed + 1'000);
    IngestOutput out;

    std::vector<std::string> expected_cuts, expected;  // before and after the place where a step's cuts are committed
    const auto whole = new_partition(rules);
    std::size_t storms = 0, notices = 0, news = 0;
    std::map<std::string, std::size_t> news_by_rule;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      out.clear();
      if (steps[i].is_close) {
        whole->close_until(steps[i].time, out);
      } else {
        whole->apply(record_of(steps[i], i), out);
      }
      for (const UrgentFinding& finding : out.findings) {
        storms += finding.notice == Notice::halt_storm ? 1 : 0;
        notices += finding.notice == Notice::source_not_keyed ? 1 : 0;
      }
      for (const Cut& cut : out.cuts) {
        news += cut.block.tasks.size();
        for (const TaskNews& item : cut.block.tasks) ++news_by_rule[rules->rules[item.rule].name];
      }
      expected.push_back(text_of(out, false));
      out.halts.clear();
      out.findings.clear();
      expected_cuts.push_back(text_of(out));
    }
    EXPECT_GT(storms, 0u);
    EXPECT_GT(notices, 0u);
    EXPECT_GT(news, 0u);
    for (const char* counting : {"Loop", "Tools", "Spends", "Steps"})
      EXPECT_GT(news_by_rule[counting], 10u) << counting;
    EXPECT_GT(whole->totals().duplicates, 100);

    Stored stored;
    auto partition = new_partition(rules);
    std::size_t restarts = 0, commits = 0;
    bool resumed = false;  // its cuts are in the log
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const RawRecord record = record_of(steps[i], i);
      out.clear();
      if (steps[i].is_close) {
        partition->close_until(steps[i].time, out);
      } else {
        partition->close_before(steps[i].time, steps[i].is_ahead, out);
      }
      ASSERT_EQ(text_of(out), resumed ? "" : expected_cuts[i]) << "step " << i;
      resumed = false;
      // Once in a while; seldom, too, so that much changes in between.
      if (!out.cuts.empty() && random.below(seed % 2 == 0 ? 10 : 600) == 0) {
        stored.commit(*partition, static_cast<std::int64_t>(i));
        stored.next_step = steps[i].is_close ? i + 1 : i;
        ++commits;
      }
      if (!steps[i].is_close) {
        out.clear();
        partition->apply(record, out);
        ASSERT_EQ(text_of(out), expected[i]) << "step " << i;
      }
      if (random.below(3'000) == 0 && restarts < 60) {
        ++restarts;
        partition = stored.restore(rules, random);
        if (stored.position.empty()) {
          i = static_cast<std::size_t>(-1);
          continue;
        }
        resumed =
            !steps[stored.next_step].is_close && stored.next_step == static_cast<std::size_t>(stored.next_offset);
        i = stored.next_step - 1;
      }
    }
    EXPECT_GT(restarts, 5u);
    EXPECT_GT(commits, 10u);
    EXPECT_EQ(partition->open_tasks(), whole->open_tasks());
    stored.commit(*partition, 0);
    EXPECT_EQ(stored.count(task_prefix), 0u) << "a hundred days later";
    EXPECT_LE(stored.count(identities_prefix), RecentIdentities::places);
  }
}

constexpr std::string_view small_rules = R"(
groups:
- name: g
  rules:
  - {alert: Cost, from: step, value: sum(cost), window: 1h, when: value > 5}
  - {alert: Ends, from: task.finished, value: count(), window: 1h, when: value > 5}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [env, agent, correlation_id, secret.pattern], actions: [{halt: task}, page]}
  - {alert: Over, mode: task, when: elapsed > 5m}
)";

// One partition that can be lost.
class Life {
 public:
  explicit Life(std::string_view rules = small_rules) : partition_(new_partition(rules_from(rules))) {}

  void apply(Duration time, const std::string& type, const std::string& task, const std::string& more = {}) {
    const std::string json = R"({"type":")" + type + R"(","time":")" + text_at(time) + R"(","correlation_id":")" +
                             task + R"(","env":"prod","agent":"support")" + (more.empty() ? "" : "," + more) + "}";
    RawRecord record;
    record.key = task;
    record.value = json;
    record.time = at(time);
    record.offset = offset_++;
    out_.clear();
    partition_->apply(record, out_);
  }
  void leak(Duration time, const std::string& task, std::uint64_t number) {
    test::Random random(number);
    apply(time, "step", task, R"("content":")" + aws_key(random) + "\"");
  }
  void close(Duration until) {
    out_.clear();
    partition_->close_until(at(until), out_);
  }
  std::vector<std::string> news() const {
    std::vector<std::string> list;
    for (const Cut& cut : out_.cuts) {
      for (const TaskNews& item : cut.block.tasks) {
        const char* kinds[] = {"over", "ended", "lost"};
        list.push_back(partition_rules()[item.rule] + " " + kinds[static_cast<int>(item.kind)] + " @" +
                       to_text(cut.grid - at(0s)));
      }
    }
    return list;
  }
  std::vector<std::string> partition_rules() const {
    std::vector<std::string> names;
    for (const Rule& rule : rules_->rules) names.push_back(rule.name);
    return names;
  }

  // Stores what changed, loses the partition and restores it under `rules`. Requires: the slice is empty.
  void lose(std::string_view rules = small_rules) {
    stored_.commit(*partition_, offset_);
    rules_ = rules_from(rules);
    partition_ = stored_.restore(rules_, random_);
  }

  std::shared_ptr<const RuleSet> rules_ = rules_from(small_rules);
  std::unique_ptr<IngestPartition> partition_;
  Stored stored_;
  IngestOutput out_;
  std::int64_t offset_ = 0;
  test::Random random_{1};
};

using News = std::vector<std::string>;

TEST(IngestState, AnEndThatCameBeforeItsStartIsRemembered) {
  Life life;
  life.apply(1s, "task.finished", "t", R"("outcome":"completed")");
  life.close(10s);
  life.lose();
  life.apply(12s, "task.started", "t");
  life.close(1h);
  EXPECT_EQ(life.news(), News{}) << "it is no task that never ends";
  EXPECT_EQ(life.partition_->open_tasks(), 0u);
}

TEST(IngestState, AnOverrunIsSaidOnceAndTakenBackByTheEnd) {
  Life life;
  life.apply(1s, "task.started", "t");
  life.close(6min);
  EXPECT_EQ(life.news(), News{"Over over @5m10s"});
  life.lose();
  life.close(10min);
  EXPECT_EQ(life.news(), News{});
  life.apply(10min, "task.finished", "t", R"("outcome":"completed")");
  life.close(11min);
  EXPECT_EQ(life.news(), News{"Over ended @10m10s"});
}

TEST(IngestState, AnOverrunThatWasSaidBeforeTheRestartEnds) {
  Life life;
  life.apply(1s, "task.started", "t");
  life.close(6min);
  life.lose();
  life.apply(7min, "task.finished", "t", R"("outcome":"completed")");
  life.close(8min);
  EXPECT_EQ(life.news(), News{"Over ended @7m10s"});
}

TEST(IngestState, RulesThatWereEditedInBetweenAreKnownByTheirNames) {
  Life life(R"(
groups: [{name: g, rules: [{alert: Over, mode: task, when: elapsed > 5m}, {alert: Gone, mode: task, when: elapsed > 4m}]}]
)");
  life.rules_ = rules_from(R"(
groups: [{name: g, rules: [{alert: Over, mode: task, when: elapsed > 5m}, {alert: Gone, mode: task, when: elapsed > 4m}]}]
)");
  life.apply(1s, "task.started", "t");
  life.close(6min);
  EXPECT_EQ(life.news(), (News{"Gone over @4m10s", "Over over @5m10s"}));
  life.lose(R"(
groups: [{name: g, rules: [{alert: New, mode: task, when: elapsed > 7m}, {alert: Over, mode: task, when: elapsed > 3m}]}]
)");
  life.close(8min);
  EXPECT_EQ(life.news(), News{"New over @7m10s"}) << "Over was said before";
  life.apply(9min, "task.finished", "t", R"("outcome":"completed")");
  life.close(10min);
  EXPECT_EQ(life.news(), (News{"New ended @9m10s", "Over ended @9m10s"}));
}

TEST(IngestState, ADuplicateAcrossTheRestartCountsOnce) {
  Life life;
  life.apply(1s, "step", "t", R"("event_id":"e1","cost_usd":1)");
  life.close(10s);
  life.lose();
  life.apply(11s, "step", "t", R"("event_id":"e1","cost_usd":1)");
  life.apply(12s, "step", "t", R"("event_id":"e2","cost_usd":2)");
  life.close(20s);
  EXPECT_EQ(life.partition_->totals().duplicates, 1);
  ASSERT_EQ(life.out_.cuts.at(0).block.cells.size(), 1u);
  EXPECT_EQ(life.out_.cuts[0].block.cells[0].totals, (Totals{2'000'000, 1}));
}

TEST(IngestState, LimitsOnHaltsCountWhatWasHaltedBefore) {
  Life life;
  for (std::uint64_t i = 1; i <= 4; ++i) life.leak(1s, "t" + std::to_string(i), i);
  life.close(10s);
  life.lose();
  life.leak(11s, "t1", 1);
  EXPECT_EQ(life.out_.halts.at(0).count, 2u) << "a repetition";
  EXPECT_EQ(life.out_.halts.at(0).first_at, test::event_at(1s));
  life.leak(12s, "t5", 5);
  EXPECT_EQ(life.out_.halts.at(0).state, HaltState::enforced);
  life.leak(13s, "t6", 6);
  EXPECT_EQ(life.out_.halts.at(0).state, HaltState::held) << "the sixth of ten minutes";
  ASSERT_EQ(life.out_.findings.size(), 2u);
  EXPECT_EQ(life.out_.findings[0].notice, Notice::halt_storm);
  life.close(20s);
  life.lose();
  life.leak(21s, "t7", 7);
  EXPECT_EQ(life.out_.halts.at(0).state, HaltState::held);
  EXPECT_EQ(life.out_.findings.size(), 1u) << "the storm was said";
  life.close(10min + 10s);
  life.lose();
  life.leak(10min + 11s, "t8", 8);
  EXPECT_EQ(life.out_.halts.at(0).state, HaltState::enforced) << "those of the first second are past";
}

TEST(IngestState, AHaltThatExpiredIsForgottenInTheTopicToo) {
  Life life;
  life.leak(1s, "t1", 1);
  life.close(10s);
  life.lose();
  EXPECT_EQ(life.stored_.count(halt_prefix), 1u);
  life.leak(169h, "t2", 2);
  life.close(169h + 10s);
  life.lose();
  EXPECT_EQ(life.stored_.count(halt_prefix), 1u);
}

TEST(IngestState, AnUnkeyedTaskStaysUnkeyed) {
  Life life;
  life.apply(1s, "task.started", "t");
  RawRecord record;
  const std::string json = R"({"type":"step","correlation_id":"t"})";
  record.value = json;
  record.time = at(2s);
  life.partition_->apply(record, life.out_);
  life.close(10s);
  life.lose();
  life.close(1h);
  EXPECT_EQ(life.news(), News{});
}

TEST(IngestState, OpenTasksCountInTheirAgentsGaugeAgain) {
  Life life;
  life.apply(1s, "task.started", "t1");
  life.apply(1s, "task.started", "t2");
  life.apply(2s, "task.finished", "t2");
  life.apply(3s, "task.started", "t3");
  life.close(10s);
  life.lose();
  ASSERT_EQ(life.partition_->agents().size(), 1u);
  EXPECT_EQ(life.partition_->agents()[0].agent, "support");
  EXPECT_EQ(life.partition_->agents()[0].open_tasks, 2);
  EXPECT_EQ(life.partition_->open_tasks(), 2u);
  life.apply(11s, "task.finished", "t3");
  EXPECT_EQ(life.partition_->agents()[0].open_tasks, 1);
}

TEST(IngestState, ATaskThatCameAndWentBetweenTwoCommitsLeavesNothing) {
  Life life;
  life.apply(1s, "task.started", "t1");
  life.apply(2s, "task.finished", "t1");
  life.close(20min);
  std::vector<StateRecord> changes;
  life.partition_->take_changes(changes);
  EXPECT_EQ(changes.size(), 0u);
}

TEST(IngestState, ATaskThatWasForgottenAndCameAgainIsThere) {
  Life life;
  life.apply(1s, "task.started", "t1");
  life.apply(2s, "task.finished", "t1");
  life.close(1min);
  life.lose();
  life.close(20min);
  life.apply(20min, "task.started", "t1");
  life.close(20min + 10s);
  life.lose();
  EXPECT_EQ(life.partition_->open_tasks(), 1u);
}

TEST(IngestState, WhatDidNotChangeIsNotStoredAgain) {
  Life life;
  life.apply(1s, "task.started", "t1", R"("event_id":"e1")");
  life.leak(1s, "t2", 1);
  life.close(10s);
  std::vector<StateRecord> changes;
  life.partition_->take_changes(changes);
  EXPECT_EQ(changes.size(), 4u) << "two tasks, a halt, a page of identities";
  changes.clear();
  life.partition_->take_changes(changes);
  EXPECT_EQ(changes.size(), 0u);
  life.apply(11s, "task.heartbeat", "t1");
  life.close(20s);
  life.partition_->take_changes(changes);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].key, "task/t1");
}

TEST(IngestState, ThePositionIsAsciiOfBoundedLength) {
  std::string longest = "1";
  for (std::size_t i = 0; i < IngestPosition::numbers; ++i) longest += " " + std::to_string(INT64_MIN);
  const auto position = read_position(longest);
  ASSERT_TRUE(position);
  EXPECT_EQ(to_text(*position), longest) << "each number has its place";
  EXPECT_LE(longest.size(), most_position_bytes);
  EXPECT_EQ(to_text(*read_position(longest + " 7")), longest) << "what a later release appends is passed over";
}

TEST(IngestState, WhatATaskSaysMoreStandsInASectionThatOthersFollow) {
  Task task;
  task.was_handed_over = true;
  task.session = "s-1";
  task.cost = 25;
  const std::string value = encode(task, {});
  Task again;
  std::vector<std::uint64_t> fired;
  ASSERT_TRUE(decode_task(value, again, fired));
  EXPECT_TRUE(again.was_handed_over);
  EXPECT_EQ(again.session, "s-1");
  EXPECT_EQ(again.cost, 25);
  EXPECT_EQ(again.tokens_in, std::nullopt);
  ASSERT_TRUE(decode_task(wire::parts_of(value)->record, again, fired)) << "what the release before wrote";
  EXPECT_FALSE(again.was_handed_over);
  EXPECT_EQ(again.cost, std::nullopt);

  // What a later release appends is passed over, and is written again behind what this one knows.
  std::string sections(wire::parts_of(value)->sections);
  wire::append_section(sections, {});  // no attributes
  wire::append_section(sections, {});  // nothing counted
  wire::append_section(sections, "more");
  UnknownSections unknown([](std::string_view) { return task_sections; });
  const std::string later = wire::join(wire::parts_of(value)->record, sections);
  const auto own = unknown.take_off("task/1", later);
  ASSERT_TRUE(own);
  EXPECT_EQ(*own, std::string(later.substr(0, own->size())));
  ASSERT_TRUE(decode_task(*own, again, fired));
  EXPECT_TRUE(again.was_handed_over);
  task = Task{};
  std::vector<StateRecord> records{{"task/1", encode(task, {})}, {"task/2", encode(task, {})}};
  unknown.put_back(records, 0);
  auto parts = wire::parts_of(records[0].value);
  ASSERT_TRUE(parts);
  for (std::size_t i = 0; i < task_sections; ++i) EXPECT_EQ(wire::next_section(parts->sections), "");
  EXPECT_EQ(wire::next_section(parts->sections), "more");
  ASSERT_TRUE(decode_task(records[0].value, again, fired));
  EXPECT_FALSE(again.was_handed_over);
  EXPECT_EQ(wire::parts_of(records[1].value)->sections, "");
}

TEST(IngestState, AttributesOfATaskComeBackByTheirNames) {
  Task task;
  task.attributes = {{"tenant", "acme"}, {"region", ""}, {"queue", "q1"}};
  const std::string value = encode(task, {});
  Task again;
  again.attributes = {{"stale", "x"}};
  std::vector<std::uint64_t> fired;
  ASSERT_TRUE(decode_task(value, again, fired));
  EXPECT_EQ(again.attribute("tenant"), "acme");
  EXPECT_EQ(again.attribute("queue"), "q1");
  EXPECT_EQ(again.attribute("stale"), "");
  EXPECT_EQ(again.attributes.size(), 2U);
  task.session = "s-1";
  ASSERT_TRUE(decode_task(encode(task, {}), again, fired));
  EXPECT_EQ(again.session, "s-1");
  EXPECT_EQ(again.attribute("tenant"), "acme");
  const std::string cut = value.substr(0, value.size() - 1);
  EXPECT_FALSE(decode_task(cut, again, fired));
}

TEST(IngestState, WhatIsCountedOfATaskStandsInASectionOfItsOwn) {
  Task task;
  task.counted.push_back({7, 8, std::string("fetch\0m", 7), test::event_at(1min), 0, {{-5, 2}, {3, 4}}});
  task.counted.push_back({9, 10, "", test::event_at(2min), 17, {}});
  task.said.push_back({11, "prod"});
  const std::string value = encode(task, {});
  Task again;
  std::vector<std::uint64_t> fired;
  ASSERT_TRUE(decode_task(value, again, fired));
  EXPECT_EQ(encode(again, {}), value);
  ASSERT_EQ(again.counted.size(), 2u);
  EXPECT_EQ(again.counted[0].values, task.counted[0].values);
  EXPECT_EQ(again.counted[0].cells[0].number, -5);
  EXPECT_EQ(again.counted[0].cells[1].amount, 4);
  EXPECT_EQ(again.counted[1].total, 17);
  EXPECT_EQ(again.counted[1].latest, test::event_at(2min));
  EXPECT_EQ(again.said[0].group, "prod");
  // What releases before wrote: one section, or none.
  auto parts = wire::parts_of(value);
  std::string first;
  wire::append_section(first, std::string(*wire::next_section(parts->sections)));
  for (const std::string& before : {wire::join(parts->record, first), std::string(parts->record)}) {
    ASSERT_TRUE(decode_task(before, again, fired));
    EXPECT_TRUE(again.counted.empty() && again.said.empty());
  }
  // Amounts and places that no writer writes.
  task.counted[0].cells = {{3, 1}, {3, 1}};
  EXPECT_FALSE(decode_task(encode(task, {}), again, fired));
  task.counted[0].cells = {{3, -1}};
  EXPECT_FALSE(decode_task(encode(task, {}), again, fired));
}

TEST(IngestState, WhatIsNoneOfItsRecordsIsRefusedAndChangesNothing) {
  Life life;
  life.apply(1s, "task.started", "t1", R"("event_id":"e1")");
  life.leak(1s, "t2", 1);
  life.close(10s);
  life.stored_.commit(*life.partition_, life.offset_);
  test::Random random(1);
  const auto partition = new_partition(life.rules_);
  for (const auto& [key, value] : life.stored_.compacted) {
    for (std::size_t size = 1; size < value.size(); ++size) {
      EXPECT_FALSE(partition->restore(key, value.substr(0, size))) << key << " " << size;
    }
    EXPECT_FALSE(partition->restore(key, value + '\0'));
    EXPECT_FALSE(partition->restore("other/" + key, value));
    for (int i = 0; i < 20; ++i) {
      std::string broken = value;
      broken[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(value.size())))] =
          static_cast<char>(random.below(256));
      new_partition(life.rules_)->restore(key, broken);  // true or false, but no crash
    }
  }
  EXPECT_FALSE(partition->restore("", ""));
  EXPECT_FALSE(partition->restore("identities/x", ""));
  EXPECT_FALSE(partition->restore("identities/128", life.stored_.compacted.at("identities/0")));
  EXPECT_TRUE(partition->restore("task/never-was", ""));
  for (const char* position : {"", "1", "x", "2 0 0", "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"}) {
    EXPECT_FALSE(new_partition(life.rules_)->resume(position, 0)) << position;
  }
}

TEST(IngestState, APositionWithoutItsRecordsIsRefused) {
  Life life;
  life.apply(1s, "step", "t1", R"("event_id":"e1")");
  life.close(10s);
  life.stored_.commit(*life.partition_, life.offset_);
  EXPECT_FALSE(new_partition(life.rules_)->resume(life.stored_.position, 1));
}

TEST(IngestState, LeapsInARowAreCountedOnAcrossTheRestart) {
  Life life;
  life.apply(1s, "task.heartbeat", "t");
  for (int i = 0; i < 12; ++i) life.apply(24h * 100, "task.heartbeat", "t");
  life.close(10s);
  life.lose();
  for (int i = 12; i < 19; ++i) life.apply(24h * 100, "task.heartbeat", "t");
  EXPECT_EQ(life.partition_->log_time(), at(10s));
  life.apply(24h * 100, "task.heartbeat", "t");
  EXPECT_EQ(life.partition_->log_time(), at(24h * 100)) << "the twentieth";
}

TEST(IngestState, ClosingBeforeARecordIsWhatTheRecordWouldHaveClosed) {
  for (const bool asks_first : {false, true}) {
    Life life;
    const auto take = [&](Duration time, bool is_ahead) {
      RawRecord record;
      const std::string json = R"({"type":"system","agent":"a"})";
      record.value = json;
      record.time = at(time);
      record.time_is_ahead = is_ahead;
      IngestOutput out;
      if (asks_first) life.partition_->close_before(at(time), is_ahead, out);
      if (asks_first) life.partition_->close_before(at(time), is_ahead, out);
      life.partition_->apply(record, out);
      return out.cuts.size();
    };
    EXPECT_EQ(take(1s, false), 0u);
    EXPECT_EQ(take(31s, false), 3u);
    EXPECT_EQ(take(10min, true), 0u);
    for (int i = 1; i < 20; ++i) EXPECT_EQ(take(24h * 100, false), 0u) << i;
    EXPECT_GT(take(24h * 100, false), 1'000u) << "the twentieth in a row";
    EXPECT_EQ(life.partition_->log_time(), at(24h * 100));
  }
}

TEST(IngestState, ARecordAheadOfTheClockCountsAndMovesNothing) {
  Life life;
  const auto take = [&](Duration time, bool is_ahead, const std::string& content) {
    RawRecord record;
    const std::string json = R"({"type":"step","correlation_id":"t","env":"p","agent":"a","time":")" + text_at(5s) +
                             R"(","cost_usd":1,"content":")" + content + "\"}";
    record.key = "t";
    record.value = json;
    record.time = at(time);
    record.time_is_ahead = is_ahead;
    life.out_.clear();
    life.partition_->apply(record, life.out_);
  };
  test::Random random(1);
  take(1'000h, true, aws_key(random));
  EXPECT_TRUE(life.out_.cuts.empty());
  ASSERT_EQ(life.out_.halts.size(), 1u);
  EXPECT_EQ(life.out_.halts[0].expires_at, test::event_at(5s + 168h)) << "the log has no time yet: the event's";
  take(6s, false, "");
  take(1'000h, true, "");
  EXPECT_EQ(life.partition_->log_time(), at(6s));
  EXPECT_EQ(life.partition_->totals().records_ahead, 2);
  life.close(10s);
  ASSERT_EQ(life.out_.cuts.size(), 1u);
  EXPECT_EQ(life.out_.cuts[0].block.records, 3);
  EXPECT_EQ(life.out_.cuts[0].block.cells.at(0).totals, (Totals{3'000'000, 3}));
}

}  // namespace ingest_state_test
}  // namespace tocsin
