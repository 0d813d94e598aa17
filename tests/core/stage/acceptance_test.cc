// What becomes of an alert whose level a person accepts: it ends, does not fire for that level again, and fires for
// one twice as high; across restarts, and however often the acceptance is read.

#include "core/alert/acceptance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/stage/evaluate_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace acceptance_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;

constexpr std::string_view spike = R"(
groups:
- name: g
  rules:
  - {alert: Spike, from: step, value: per_hour(cost), window: 1h, when: value > 2 * baseline, baseline: {range: 24h, block: 1h, min_blocks: 6}, keep_firing_for: 30m, min_samples: 20}
)";
const GroupKey support("prod\0support", 12);
const Labels support_labels{{"env", "prod"}, {"agent", "support"}};

using Changes = std::vector<std::string>;

class AcceptanceTest : public testing::Test {
 protected:
  void SetUp() override { use(spike); }
  void use(std::string_view text) {
    rules = test::rules_from(text);
    stage = make();
  }
  std::unique_ptr<EvaluatePartition> make() const {
    EvaluateOptions options;
    options.deployment = "eu1";
    options.keeps_state = true;
    return std::make_unique<EvaluatePartition>(options, rules);
  }

  Block next_block(std::int64_t sum, std::int64_t count) {
    Block block;
    block.grid = at(next);
    block.rule_set = rules->hash;
    if (count > 0) block.cells.push_back({0, support, {sum, count}, {}, {}});
    next += 10s;
    return block;
  }
  // Grid times until `end` with one sample of so many cents in each; what changed since the last call.
  Changes feed(Duration end, std::int64_t cents, std::int64_t count = 1) {
    while (next <= end) {
      Block block = next_block(cents * 10'000, count);
      blocks.push_back(block);
      stage->apply(std::move(block), changes);
    }
    return take();
  }
  Changes take() {
    Changes texts;
    for (const AlertChange& change : changes) {
      texts.push_back(change.alert + (change.firing ? " firing " : " resolved ") + std::to_string(change.episode));
      last = change;
    }
    changes.clear();
    return texts;
  }
  Acceptance order(Duration when, const std::string& by = "ann") const {
    return make_acceptance("Spike", support_labels, by, "the new model costs more", event_at(when)).value();
  }
  void accept(Duration when) { stage->apply(order(when)); }

  // All that was stored and the last blocks, in a new partition.
  void restart() {
    std::vector<StateRecord> taken;
    stage->take_changes(taken);
    for (StateRecord& record : taken) stored[record.key] = std::move(record.value);
    const std::string position = stage->position();
    const RecordTime needed = stage->needs_blocks_after();
    stage = make();
    for (const auto& [key, value] : stored) {
      if (value.empty()) continue;
      ASSERT_TRUE(stage->restore(key, value)) << key;
    }
    ASSERT_TRUE(stage->begin_resume(position));
    for (const Block& block : blocks) {
      if (block.grid > needed) stage->resume(block);
    }
    stage->end_resume(changes);
  }
  // A day at 10 cents, then 40: the alert fires.
  void fire() {
    EXPECT_EQ(feed(24h, 10), Changes{});
    EXPECT_EQ(feed(24h + 40min, 40), Changes{"Spike firing 1"});
  }
  double level() const {
    const auto text = stage->explain("Spike", support_labels).value_or("");
    const std::string before = "never taken as lower than ";
    const std::size_t found = text.find(before);
    return found == std::string::npos ? -1 : std::stod(text.substr(found + before.size()));
  }

  std::shared_ptr<const RuleSet> rules;
  std::unique_ptr<EvaluatePartition> stage;
  std::map<std::string, std::string> stored;
  std::vector<Block> blocks;
  std::vector<AlertChange> changes;
  AlertChange last;
  Duration next = 10s;
};

TEST_F(AcceptanceTest, TheAlertResolvesAtTheNextGridTimeAndSaysWhoAndWhy) {
  fire();
  const std::string firing_page = *last.page_id;
  accept(24h + 40min + 5s);
  EXPECT_EQ(feed(24h + 40min + 10s, 40), Changes{"Spike resolved 1"});
  EXPECT_EQ(last.reason, "accepted by ann: the new model costs more");
  EXPECT_TRUE(last.sends_page);
  EXPECT_EQ(*last.page_id, last.alert_id + ":1:resolved");
  EXPECT_EQ(firing_page, last.alert_id + ":1:firing");
  EXPECT_TRUE(stage->active().empty());
}

TEST_F(AcceptanceTest, ItDoesNotFireForThatLevelAgainAndDoesForTwiceAsMuch) {
  fire();
  accept(24h + 40min);
  EXPECT_EQ(feed(26h, 40), Changes{"Spike resolved 1"});
  EXPECT_EQ(feed(28h, 40), Changes{}) << "the window now holds nothing but the new level";
  EXPECT_NEAR(level(), 144, 1) << "40 cents each ten seconds, though the window was half of the old level";
  EXPECT_EQ(feed(30h, 100), Changes{"Spike firing 2"}) << "before the new baseline is warm";
  EXPECT_NEAR(last.baseline, 144, 1);
}

TEST_F(AcceptanceTest, ANewBaselineIsWarmAfterSomeHoursAndTheLargerOfItAndTheLevelJudgesForADay) {
  fire();
  accept(24h + 40min);
  feed(34h, 40);
  EXPECT_EQ(feed(44h, 10), Changes{}) << "a quiet night";
  EXPECT_EQ(feed(47h, 40), Changes{}) << "is no reason to fire for the accepted level in the morning";
  EXPECT_EQ(feed(48h, 100), Changes{"Spike firing 2"});
  EXPECT_EQ(feed(52h, 40), Changes{"Spike resolved 2"});
  EXPECT_EQ(feed(70h, 40), Changes{});
  EXPECT_EQ(level(), -1) << "it has aged out";
}

TEST_F(AcceptanceTest, WhatIsAcceptedAtOnceIsJudgedOnlyWhenEnoughOfItWasSeen) {
  feed(24h, 10);
  while (feed(next, 40).empty()) {
  }
  EXPECT_TRUE(last.firing);
  const Duration fired = next - 10s;
  accept(fired);
  EXPECT_EQ(feed(fired + 14min, 40), Changes{"Spike resolved 1"});
  EXPECT_EQ(level(), -1);
  EXPECT_EQ(stage->sight().at(0).warming, 1);
  EXPECT_EQ(feed(fired + 17min, 40), Changes{});
  EXPECT_NEAR(level(), 144, 1);
  EXPECT_EQ(stage->sight().at(0).live, 1);
  EXPECT_EQ(feed(40h, 40), Changes{});
}

TEST_F(AcceptanceTest, ALevelAtWhichNothingHappensAnyMoreCanBeAccepted) {
  use(R"(
groups:
- name: g
  rules:
  - {alert: Spike, from: step, value: count(), window: 30m, when: value < baseline / 2, baseline: {range: 24h, min_samples: 100}, keep_firing_for: 0s, no_data: hold}
)");
  EXPECT_EQ(feed(24h, 1, 4), Changes{});
  EXPECT_EQ(feed(25h, 1, 1), Changes{"Spike firing 1"});
  accept(25h);
  EXPECT_EQ(feed(30h, 1, 1), Changes{"Spike resolved 1"});
  EXPECT_EQ(feed(31h, 1, 0), Changes{"Spike firing 2"});
}

TEST_F(AcceptanceTest, ARestartInTheMiddleChangesNothing) {
  fire();
  restart();
  accept(24h + 40min);
  EXPECT_EQ(feed(24h + 41min, 40), Changes{"Spike resolved 1"});
  restart();
  EXPECT_EQ(feed(28h, 40), Changes{});
  EXPECT_NEAR(level(), 144, 1);
  restart();
  EXPECT_NEAR(level(), 144, 1);
  EXPECT_EQ(feed(30h, 40), Changes{});
  EXPECT_EQ(feed(31h, 100), Changes{"Spike firing 2"});
}

TEST_F(AcceptanceTest, WhileTooLittleWasSeenARestartGoesOnWaiting) {
  feed(24h, 10);
  while (feed(next, 40).empty()) {
  }
  const Duration fired = next - 10s;
  accept(fired);
  EXPECT_EQ(feed(fired + 5min, 40), Changes{"Spike resolved 1"});
  restart();
  EXPECT_EQ(feed(30h, 40), Changes{});
  EXPECT_NEAR(level(), 144, 1);
}

TEST_F(AcceptanceTest, ItIsDoneOnceHoweverOftenItIsRead) {
  fire();
  // The machine's clock is far ahead of the log's, which catches up.
  const Duration when = 24h + 40min + 12h;
  accept(when);
  accept(when);
  EXPECT_EQ(feed(27h, 40), Changes{"Spike resolved 1"});
  EXPECT_EQ(feed(29h, 100), Changes{"Spike firing 2"});
  accept(when);
  EXPECT_EQ(feed(29h + 1min, 100), Changes{});
  restart();
  accept(when);
  EXPECT_EQ(feed(29h + 2min, 100), Changes{});
  stage->apply(order(when + 1s, "bob"));
  EXPECT_EQ(feed(29h + 3min, 100), Changes{"Spike resolved 2"});
  EXPECT_EQ(last.reason, "accepted by bob: the new model costs more");
}

TEST_F(AcceptanceTest, NothingComesOfOneThatIsAboutNoEpisodeThatFires) {
  feed(24h, 10);
  accept(24h);
  EXPECT_EQ(feed(24h + 40min, 40), Changes{"Spike firing 1"}) << "it came later";
  restart();
  accept(24h);
  EXPECT_EQ(feed(24h + 41min, 40), Changes{});
  for (const Labels& labels : {Labels{}, Labels{{"agent", "support"}}, Labels{{"env", "prod"}, {"agent", "other"}}}) {
    stage->apply(make_acceptance("Spike", labels, "ann", "why", event_at(25h)).value());
    stage->apply(make_acceptance("Other", support_labels, "ann", "why", event_at(25h)).value());
  }
  EXPECT_EQ(feed(24h + 42min, 40), Changes{});
}

TEST_F(AcceptanceTest, AConditionThatHoldsWhateverTheBaselineIsGoesOnFiring) {
  use(R"(
groups:
- name: g
  rules:
  - {alert: Spike, from: step, value: per_hour(cost), window: 1h, when: value > 2 * baseline || value > 100, baseline: {range: 24h, min_samples: 100}}
)");
  feed(24h, 10);
  EXPECT_EQ(feed(25h, 40), Changes{"Spike firing 1"});
  accept(25h);
  EXPECT_EQ(feed(26h, 40), Changes{});
  EXPECT_EQ(stage->active().size(), 1U);
  EXPECT_EQ(feed(30h, 20), Changes{"Spike resolved 1"});
}

TEST_F(AcceptanceTest, ALevelOfAnotherMeasureIsForgotten) {
  fire();
  accept(24h + 40min);
  feed(26h, 40);
  std::vector<StateRecord> taken;
  stage->take_changes(taken);
  const auto has_record = [](const StateRecord& record) { return record.key.starts_with("window/"); };
  const auto record = std::find_if(taken.begin(), taken.end(), has_record);
  ASSERT_NE(record, taken.end());
  std::string other(spike);
  other.replace(other.find("per_hour(cost)"), 14, "per_day(cost) ");
  rules = test::rules_from(other);
  const auto next_stage = make();
  ASSERT_TRUE(next_stage->restore(record->key, record->value));
  ASSERT_TRUE(next_stage->begin_resume(stage->position()));
  next_stage->end_resume(changes);
  const auto text = next_stage->explain("Spike", support_labels);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find("accepted"), std::string::npos) << *text;
}

TEST(AcceptanceRecord, IsReadAsItWasWritten) {
  const auto made =
      make_acceptance("Spike", {{"env", ""}, {"agent", "a \"b\""}}, "ann\nINFO: all is well", "why\t", event_at(1s));
  ASSERT_TRUE(made);
  const auto read = acceptance_from_json(to_json(made.value()));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), to_json(made.value()));
  EXPECT_EQ(read->labels, (Labels{{"agent", "a \"b\""}}));
  EXPECT_EQ(read->by, "ann INFO: all is well");
  EXPECT_EQ(read->at, event_at(1s));
  const std::string more = to_json(made.value());
  EXPECT_TRUE(acceptance_from_json(more.substr(0, more.size() - 1) + R"(,"new":{"a":[1]}})")) << "of a later release";
}

TEST(AcceptanceRecord, HasAnIdOfAllThatWasSaidAndWhen) {
  const auto id = [](const std::string& alert, const Labels& labels, const std::string& by, const std::string& reason,
                     Duration when) { return make_acceptance(alert, labels, by, reason, event_at(when)).value().id; };
  const std::string one = id("A", support_labels, "ann", "why", 1s);
  EXPECT_EQ(one, id("A", support_labels, "ann", "why", 1s));
  EXPECT_NE(one, id("B", support_labels, "ann", "why", 1s));
  EXPECT_NE(one, id("A", {{"env", "prod"}}, "ann", "why", 1s));
  EXPECT_NE(one, id("A", support_labels, "bob", "why", 1s));
  EXPECT_NE(one, id("A", support_labels, "ann", "because", 1s));
  EXPECT_NE(one, id("A", support_labels, "ann", "why", 2s));
}

TEST(AcceptanceRecord, IsRefusedWhereItIsNone) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"kind":"silence"})"),
        std::string(R"({"kind":"acceptance","acceptance_id":"a","alert":"A","labels":{},"at":"soon"})"),
        std::string(
            R"({"kind":"acceptance","acceptance_id":"a","alert":"A","labels":{"a":1},"at":"2026-01-05T00:00:00Z"})"),
        std::string(
            R"({"kind":"acceptance","acceptance_id":"a","alert":"A","labels":[],"at":"2026-01-05T00:00:00Z"})"),
        std::string(100'000, '[')}) {
    EXPECT_FALSE(acceptance_from_json(text)) << text.substr(0, 100);
  }
  EXPECT_FALSE(make_acceptance("", {}, "ann", "why", event_at(1s)));
  EXPECT_FALSE(make_acceptance("A", {}, "", "why", event_at(1s)));
  EXPECT_FALSE(make_acceptance("A", {}, "ann", "", event_at(1s)));
  EXPECT_FALSE(make_acceptance("A", {}, "ann", std::string(513, 'x'), event_at(1s)));
}

TEST(AcceptanceBookTest, HoldsWhatTheTopicHoldsForFiveDays) {
  AcceptanceBook book;
  const Acceptance late = make_acceptance("A", {}, "ann", "why", event_at(1h)).value();
  const Acceptance early = make_acceptance("B", {}, "ann", "why", event_at(1s)).value();
  ASSERT_NE(book.apply(late.key(), to_json(late)), nullptr);
  ASSERT_NE(book.apply(early.key(), to_json(early)), nullptr);
  EXPECT_EQ(book.apply("accept/other", to_json(late)), nullptr) << "under a key of another";
  EXPECT_EQ(book.apply("silence/" + late.id, to_json(late)), nullptr);
  ASSERT_EQ(book.items().size(), 2U);
  EXPECT_EQ(book.items()[0].alert, "B");
  EXPECT_EQ(book.expire(event_at(24h * 5 + 1min)), std::vector<std::string>{early.key()});
  EXPECT_EQ(book.apply(late.key(), ""), nullptr);
  EXPECT_TRUE(book.items().empty());
}

}  // namespace acceptance_test
}  // namespace tocsin
