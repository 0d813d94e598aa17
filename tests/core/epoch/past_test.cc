// New aggregates learn what they missed: each source partition reads its records again, and from the grid time on at
// which none owes anything any more, everything is as if the aggregates had always been there.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/epoch/rule_epochs.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/past_book.h"
#include "core/stage/past_count.h"
#include "core/test_support.h"

namespace tocsin {
namespace past_test {

using namespace std::chrono_literals;
using test::at;

constexpr std::int32_t partitions = 3;
constexpr Duration changed_at = 6h;

const std::string head =
    "groups:\n- name: g\n  defaults: {group_by: [env, agent], actions: [page], max_series: 100}\n  rules:\n"
    "  - {alert: Steps, from: step, value: count(), window: 5m, when: value > 1000000}\n";
const std::string more =
    "  - {alert: Costs, from: step, value: sum(cost), window: 5m, baseline: {range: 4h, min_blocks: 2,"
    " min_samples: 20}, when: value > 3 * baseline, keep_firing_for: 1m}\n"
    "  - {alert: Errors, from: task.finished, value: 'ratio(outcome == \"errored\")', window: 1h, min_samples: 10,"
    " when: value > 0.5, keep_firing_for: 1m}\n"
    "  - {alert: People, from: step, value: distinct(correlation_id), window: 30m, when: value > 40,"
    " keep_firing_for: 1m}\n";

struct Record {
  std::string key, value;
  RecordTime time;
};

std::shared_ptr<const RuleEpochs> epochs_of(const std::vector<std::string>& texts) {
  std::vector<RuleEpoch> list;
  for (const std::string& text : texts) {
    const auto number = static_cast<std::int64_t>(list.size());
    const RecordTime from = number == 0 ? beginning_of_time : at(changed_at + (number - 1) * 10min);
    list.push_back({number, from, test::rules_from(text), test::shipped_patterns()});
  }
  const auto settled = static_cast<std::int64_t>(list.size()) - 1;
  return std::make_shared<const RuleEpochs>(std::move(list), settled, std::nullopt);
}

// Hours of traffic of two agents. At its end the costs and errors of one go up.
std::vector<std::vector<Record>> traffic(std::uint64_t seed) {
  test::Random random(seed);
  std::vector<std::vector<Record>> all(partitions);
  for (Duration time = 0s; time < changed_at + 1h; time += Duration{random.below(12'000)}) {
    const auto p = static_cast<std::size_t>(random.below(partitions));
    const std::string agent = random.below(2) == 0 ? "claims" : "support";
    const std::string task = "t" + std::to_string(p) + "-" + std::to_string(random.below(60));
    const bool is_bad = time > changed_at + 25min && agent == "claims";
    std::string json = R"({"correlation_id":")" + task + R"(","env":"prod","agent":")" + agent + R"(","time":")" +
                       test::text_at(time) + R"(",)";
    if (random.below(4) == 0) {
      json += R"("type":"task.finished","outcome":")" + std::string(is_bad ? "errored" : "completed") + "\"}";
    } else {
      json += R"("type":"step","cost_usd":)" + std::string(is_bad ? "0.9" : "0.01") + "}";
    }
    all[p].push_back({task, json, at(time)});
  }
  return all;
}

// The two stages over what they said, which a restart takes up again from its last commit.
class Stages {
 public:
  Stages(std::shared_ptr<const RuleEpochs> epochs, bool gives_past) : epochs_(std::move(epochs)) {
    const RuleEpoch& first = epochs_->at(beginning_of_time);
    for (std::int32_t p = 0; p < partitions; ++p) {
      IngestOptions options;
      options.partition = p;
      options.gives_past = gives_past;
      ingest.push_back(std::make_unique<IngestPartition>(options, first.rules, first.patterns, key()));
      ingest.back()->know(epochs_);
    }
    evaluate = new_evaluate(first);
  }

  static Fingerprinter key() { return Fingerprinter(std::vector<unsigned char>(32, 1)); }

  std::unique_ptr<EvaluatePartition> new_evaluate(const RuleEpoch& epoch) const {
    EvaluateOptions options;
    options.deployment = "eu1";
    options.source_partitions = partitions;
    options.keeps_state = true;
    auto made = std::make_unique<EvaluatePartition>(options, epoch.rules);
    made->know(epochs_);
    return made;
  }

  void apply(std::size_t p, const Record& record, std::int64_t offset) {
    RawRecord raw;
    raw.key = record.key;
    raw.value = record.value;
    raw.offset = offset;
    raw.time = record.time;
    ingest[p]->apply(raw, out_);
    take();
  }
  void close(Duration until) {
    for (auto& one : ingest) one->close_until(at(until), out_);
    take();
  }
  void take() {
    for (Cut& cut : out_.cuts) {
      blocks.push_back(encode(cut.block));
      evaluate->apply(std::move(cut.block), changes);
    }
    out_.clear();
    evaluate->take_changes(stored_);
    for (StateRecord& one : stored_) states_.insert_or_assign(one.key, one.value);
    stored_.clear();
  }

  void restart() {
    const std::string position = evaluate->position();
    const RecordTime after = evaluate->needs_blocks_after();
    evaluate = new_evaluate(*epochs_->numbered(*EvaluatePartition::epoch_of(position)));
    for (const auto& [name, value] : states_) ASSERT_TRUE(evaluate->restore(name, value)) << name;
    ASSERT_TRUE(evaluate->begin_resume(position));
    for (const std::string& block : blocks) {
      if (decode_block(block)->grid > after) evaluate->resume(*decode_block(block));
    }
    evaluate->end_resume(changes);
  }

  // One partition's past, in pieces of so many bytes. `clock`: up to which slices are closed.
  void count_past(std::size_t p, const std::vector<Record>& records, std::size_t most, Duration& clock) {
    while (const auto owed = ingest[p]->owed_past()) {
      IngestOptions options;
      options.partition = static_cast<std::int32_t>(p);
      PastCount count(options, *epochs_, owed->epoch, key());
      for (std::int64_t i = 0; i < owed->until; ++i) {
        const Record& record = records[static_cast<std::size_t>(i)];
        if (record.time < count.reads_from()) continue;
        RawRecord raw;
        raw.key = record.key;
        raw.value = record.value;
        raw.time = record.time;
        raw.offset = i;
        count.apply(raw);
      }
      count.end(false);
      while (auto piece = count.next_piece(most)) {
        ASSERT_TRUE(ingest[p]->has_room_for_past());
        ingest[p]->take_past(*std::move(piece));
        clock += 10s;
        close(clock);
        ++pieces;
      }
    }
  }

  std::vector<std::string> texts(RecordTime after) const {
    std::vector<std::string> list;
    for (const AlertChange& change : changes) {
      if (change.at <= after) continue;
      list.push_back(to_rfc3339(change.at) + " " + change.alert + " " + to_text(change.labels) +
                     (change.firing ? " firing " : " resolved ") + std::to_string(change.value) + " against " +
                     std::to_string(change.baseline));
    }
    return list;
  }

  std::vector<std::unique_ptr<IngestPartition>> ingest;
  std::unique_ptr<EvaluatePartition> evaluate;
  std::vector<std::string> blocks;
  std::vector<AlertChange> changes;
  int pieces = 0;

 private:
  std::shared_ptr<const RuleEpochs> epochs_;
  std::map<std::string, std::string> states_;
  std::vector<StateRecord> stored_;
  IngestOutput out_;
};

// How many groups of each rule are judged, and how many are warming.
std::map<std::string, std::pair<std::int64_t, std::int64_t>> judged(const Stages& stages) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> all;
  for (const RuleSight& sight : stages.evaluate->sight()) all[sight.alert] = {sight.live, sight.warming};
  return all;
}
using Judged = std::pair<std::int64_t, std::int64_t>;

// Feeds all records before `until` in the order of their stamps.
void feed(Stages& stages, const std::vector<std::vector<Record>>& all, std::vector<std::size_t>& next,
          Duration until) {
  while (true) {
    std::size_t least = all.size();
    for (std::size_t p = 0; p < all.size(); ++p) {
      if (next[p] == all[p].size() || all[p][next[p]].time >= at(until)) continue;
      if (least == all.size() || all[p][next[p]].time < all[least][next[least]].time) least = p;
    }
    if (least == all.size()) break;
    stages.apply(least, all[least][next[least]], static_cast<std::int64_t>(next[least]));
    ++next[least];
  }
  stages.close(until);
}

TEST(Past, ANewConditionJudgesAsIfItHadAlwaysBeenThere) {
  for (const std::uint64_t seed : test::seeds_of_long_runs(6)) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto all = traffic(seed);
    // Everything from the beginning under both rules, and the same with the second ones coming late.
    Stages always(epochs_of({head + more}), false);
    Stages late(epochs_of({head, head + more}), true);
    Stages restarted(epochs_of({head, head + more}), true);
    std::vector<std::size_t> next(partitions, 0), next_late(partitions, 0), next_restarted(partitions, 0);
    const Duration counted_at = changed_at + 5min;
    feed(always, all, next, counted_at);
    feed(late, all, next_late, counted_at);
    feed(restarted, all, next_restarted, counted_at);
    EXPECT_EQ(judged(always)["Costs"], Judged(2, 0));
    EXPECT_EQ(judged(late)["Costs"], Judged(0, 2));
    EXPECT_EQ(judged(late)["Errors"], Judged(0, 2)) << "its window is not covered";
    EXPECT_EQ(judged(late)["Steps"], Judged(2, 0));
    Duration clock = counted_at, clock_restarted = counted_at;
    for (std::size_t p = 0; p < partitions; ++p) {
      ASSERT_TRUE(late.ingest[p]->owed_past());
      late.count_past(p, all[p], 2'000, clock);
      restarted.restart();
      restarted.count_past(p, all[p], 2'000, clock_restarted);
      restarted.restart();
      EXPECT_EQ(judged(late)["Costs"], p + 1 < partitions ? Judged(0, 2) : Judged(2, 0));
    }
    EXPECT_EQ(late.pieces, 2 * partitions);
    always.close(clock);
    EXPECT_EQ(judged(late), judged(always));
    EXPECT_EQ(late.evaluate->needs_blocks_after(), always.evaluate->needs_blocks_after());
    const RecordTime from = late.evaluate->evaluated();
    for (const Duration until : {changed_at + 30min, changed_at + 40min, changed_at + 1h, changed_at + 3h}) {
      feed(always, all, next, until);
      feed(late, all, next_late, until);
      feed(restarted, all, next_restarted, until);
      restarted.restart();
    }
    EXPECT_FALSE(always.texts(from).empty());
    EXPECT_EQ(late.texts(from), always.texts(from));
    EXPECT_EQ(restarted.texts(from), always.texts(from));
  }
}

TEST(Past, AClockThatRanAheadMovesNobodysTime) {
  const auto epochs = epochs_of({head, head + more});
  const auto bytes_of = [&](bool with_stray) {
    PastCount count(IngestOptions{}, *epochs, 1, Stages::key());
    const auto all = traffic(4);
    for (std::size_t i = 0; i < 400; ++i) {
      RawRecord raw;
      raw.key = all[0][i].key;
      raw.value = all[0][i].value;
      raw.time = all[0][i].time;
      if (with_stray && i == 100) raw.time = all[0][i].time + 2h;
      count.apply(raw);
    }
    count.end(false);
    return count.next_piece(1 << 20)->series.front().state;
  };
  EXPECT_EQ(bytes_of(true).size(), bytes_of(false).size()) << "as many slices have something in them";
}

TEST(Past, OfRecordsThatAreGoneTheRestIsWarmingOn) {
  const auto all = traffic(1);
  const auto epochs = epochs_of({head, head + more});
  IngestOptions options;
  PastCount count(options, *epochs, 1, Stages::key());
  const RecordTime oldest = all[0][500].time;
  for (std::size_t i = 500; all[0][i].time < at(changed_at); ++i) {
    RawRecord raw;
    raw.key = all[0][i].key;
    raw.value = all[0][i].value;
    raw.time = all[0][i].time;
    raw.offset = static_cast<std::int64_t>(i);
    count.apply(raw);
  }
  count.end(true);
  const auto piece = count.next_piece(1 << 20);
  ASSERT_TRUE(piece);
  EXPECT_TRUE(piece->is_first && piece->is_last);
  EXPECT_EQ(piece->since, ceil_to(oldest, quarter_length));
  EXPECT_EQ(piece->series.size(), 6u) << "three aggregates of two agents";
  EXPECT_FALSE(count.next_piece(1 << 20));
}

TEST(Past, WhatIsOwedOutlivesTheProcessAndAnAttemptThatBrokeOffCountsForNothing) {
  const auto all = traffic(2);
  const auto epochs = epochs_of({head, head + more});
  Stages stages(epochs, true);
  std::vector<std::size_t> next(partitions, 0);
  feed(stages, all, next, changed_at + 5min);
  const auto owed = stages.ingest[1]->owed_past();
  ASSERT_TRUE(owed);
  EXPECT_EQ(owed->epoch, 1);
  EXPECT_GE(all[1][static_cast<std::size_t>(owed->until)].time, at(changed_at));
  EXPECT_LT(all[1][static_cast<std::size_t>(owed->until) - 1].time, at(changed_at));

  std::vector<StateRecord> records;
  stages.ingest[1]->take_changes(records);
  IngestOptions options;
  options.partition = 1;
  options.gives_past = true;
  IngestPartition again(options, epochs->newest().rules, epochs->newest().patterns, Stages::key());
  for (const StateRecord& record : records) ASSERT_TRUE(again.restore(record.key, record.value));
  ASSERT_TRUE(again.resume(stages.ingest[1]->position(), static_cast<std::int64_t>(next[1])));
  again.know(epochs);
  ASSERT_TRUE(again.owed_past());
  EXPECT_EQ(again.owed_past()->until, owed->until);

  // Half of it goes out, then another owner begins anew.
  Past broken;
  broken.epoch = 1;
  broken.is_first = true;
  broken.since = at(0s);
  broken.series = {{1, GroupKey("prod\0claims", 11), "not to be read"}};
  stages.ingest[1]->take_past(broken);
  EXPECT_FALSE(stages.ingest[1]->has_room_for_past()) << "one at a time";
  Duration clock = changed_at + 5min + 10s;
  stages.close(clock);
  for (std::size_t p = 0; p < partitions; ++p) stages.count_past(p, all[p], 1 << 20, clock);
  Stages always(epochs_of({head + more}), false);
  std::vector<std::size_t> next_always(partitions, 0);
  feed(always, all, next_always, changed_at + 5min);
  always.close(clock);
  EXPECT_EQ(judged(stages), judged(always));
  EXPECT_EQ(judged(stages)["Costs"], Judged(2, 0));
}

TEST(Past, RulesThatChangeFasterThanThePastIsReadLeaveTheOldestOut) {
  std::vector<std::string> texts{head};
  for (int i = 0; i < 6; ++i) {
    texts.push_back(texts.back() + "  - {alert: More" + std::to_string(i) + ", from: step, where: tokens_in > " +
                    std::to_string(i) + ", value: count(), window: 5m, when: value > 1000000}\n");
  }
  Stages stages(epochs_of(texts), true);
  std::vector<std::size_t> next(partitions, 0);
  feed(stages, traffic(3), next, changed_at + 1h);
  EXPECT_EQ(stages.ingest[0]->owed_past()->epoch, 3) << "4 of 6 are kept";
  const auto position = read_position(stages.ingest[0]->position());
  ASSERT_TRUE(position);
  EXPECT_EQ(position->owed.back().epoch, 6);
}

TEST(PastBook, ALargePastIsAddedInSteps) {
  PastBook book;
  std::vector<Aggregate> aggregates(1);
  std::map<std::int32_t, Block> blocks;
  Past past;
  past.epoch = 7;
  past.is_first = past.is_last = true;
  past.since = at(1h);
  for (int i = 0; i < 12'000; ++i) past.series.push_back({0, "g" + std::to_string(i), {}});
  blocks[0].grid = at(10s);
  blocks[0].owes_past_of = 7;
  book.take(0, past, aggregates, at(10s));
  EXPECT_FALSE(book.next(blocks)) << "it is owed still";
  blocks[0].owes_past_of = 8;
  std::set<std::string> groups;
  int steps = 0;
  for (bool is_last = false; !is_last; ++steps) {
    ASSERT_EQ(book.next(blocks), 7);
    EXPECT_EQ(book.first_grid(), at(10s));
    const PastBook::Step step = book.take_step(at(9h), blocks);
    for (const auto& [name, list] : step.series) {
      EXPECT_LT(list.size(), 6'000u);
      for (const PastSeries& one : list) EXPECT_TRUE(groups.insert(one.group).second);
    }
    is_last = step.is_last;
    EXPECT_EQ(step.since, at(1h));
    EXPECT_EQ(book.steps(), is_last ? 0 : steps + 1);
  }
  EXPECT_EQ(steps, 3);
  EXPECT_EQ(groups.size(), 12'000u);
  EXPECT_EQ(book.merged(), 7);
  EXPECT_FALSE(book.next(blocks));
  EXPECT_FALSE(book.first_grid());
}

}  // namespace past_test
}  // namespace tocsin
