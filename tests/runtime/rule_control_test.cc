#include "runtime/rule_control.h"

#include <gtest/gtest.h>

#include <utility>

#include "core/test_support.h"

namespace tocsin {
namespace rule_control_test {

using namespace std::chrono_literals;

// The topic as all processes of a test see it.
struct Topic {
  std::vector<std::pair<std::string, std::string>> records;
};

class TestControlLog final : public ControlLog {
 public:
  explicit TestControlLog(Topic& topic) : topic_(topic) {}
  void read(const OnControl& on_record, Duration) override {
    while (next_ < topic_.records.size()) {
      const auto record = topic_.records[next_++];
      on_record(record.first, record.second);
    }
  }
  bool caught_up() const override { return true; }
  void write(std::string key, std::string value) override {
    topic_.records.emplace_back(std::move(key), std::move(value));
  }

 private:
  Topic& topic_;
  std::size_t next_ = 0;
};

class TestClock final : public Clock {
 public:
  RecordTime now() const override { return test::at(time); }
  Duration monotonic() const override { return time; }
  void sleep(Duration) const override {}
  mutable Duration time{1h};
};

std::vector<NamedText> files_of(const std::string& alert) {
  return {{"rules.yaml", "groups: [{name: g, rules: [{alert: " + alert +
                             ", from: step, value: count(), window: 5m, when: value > 3, group_by: [env, agent], "
                             "max_series: 10}]}]\n"},
          {"patterns.yaml",
           "sanitize: {version: 1, patterns: [{id: word, tier: count, keywords: [quince], regex: quince, "
           "description: w, examples: [quince], near_misses: [pear]}]}\n"}};
}

std::string hash_of(const std::string& alert) {
  Diagnostics diagnostics;
  return load_rules_and_patterns(files_of(alert), diagnostics).rules->hash;
}

class Process {
 public:
  Process(std::string name, const std::string& alert, Topic& topic, TestClock& clock)
      : control_({std::move(name), 30s}, std::make_unique<TestControlLog>(topic), clock, files_of(alert),
                 hash_of(alert), [this](bool, const std::string& line) { lines.push_back(line); }) {}

  // One turn of its loop. `promise`: its partitions answer an open proposal with this grid time.
  void turn(std::optional<RecordTime> promise) {
    control_.turn(0ms);
    if (!promise || !control_.epochs() || !control_.epochs()->open()) return;
    control_.decide(*control_.epochs()->open(), *promise);
  }
  std::string in_force() const {
    const auto epochs = control_.epochs();
    return epochs ? epochs->newest().rules->rules.front().name : "";
  }
  RuleControl& control() { return control_; }
  std::vector<std::string> lines;

 private:
  RuleControl control_;
};

TEST(RuleControl, AProcessProposesItsFilesWhereThereAreNone) {
  Topic topic;
  TestClock clock;
  Process ann("ann", "A", topic, clock);
  EXPECT_EQ(ann.in_force(), "");
  ann.turn({});
  ann.turn({});
  EXPECT_EQ(ann.in_force(), "A");
  EXPECT_FALSE(ann.control().status().files_differ);
}

TEST(Fault, F54_ProcessesWithDifferentFilesRunTheSameRules) {
  Topic topic;
  TestClock clock;
  Process ann("ann", "A", topic, clock);
  for (int i = 0; i < 3; ++i) ann.turn({});
  Process ben("ben", "B", topic, clock);
  for (int i = 0; i < 50; ++i) {
    clock.time += 100ms;
    ann.turn(test::at(2h));
    ben.turn({});
  }
  // What nobody has proposed before is new: a rolling update brings it in.
  EXPECT_EQ(ann.in_force(), "B");
  EXPECT_EQ(ben.in_force(), "B");
  EXPECT_TRUE(ann.control().status().files_differ);
  EXPECT_EQ(ann.control().epochs()->newest().from, test::at(2h));

  // A process that comes back with the old files does not bring the old rules back, and says so.
  Process again("ann", "A", topic, clock);
  for (int i = 0; i < 50; ++i) {
    clock.time += 100ms;
    again.turn(test::at(3h));
    ben.turn(test::at(3h));
  }
  EXPECT_EQ(again.in_force(), "B");
  EXPECT_TRUE(again.control().status().files_differ);
  ASSERT_FALSE(again.lines.empty());
  EXPECT_NE(again.lines.back().find("reload to propose"), std::string::npos) << again.lines.back();

  again.control().reload(files_of("A"), hash_of("A"));
  for (int i = 0; i < 50; ++i) {
    clock.time += 100ms;
    again.turn(test::at(4h));
    ben.turn({});
  }
  EXPECT_EQ(again.in_force(), "A");
  EXPECT_EQ(ben.in_force(), "A");
}

TEST(RuleControl, WhatNobodyAnswersIsDroppedAndProposedAgain) {
  Topic topic;
  TestClock clock;
  Process ann("ann", "A", topic, clock);
  for (int i = 0; i < 3; ++i) ann.turn({});
  ann.control().reload(files_of("B"), hash_of("B"));
  for (int i = 0; i < 320; ++i) {
    clock.time += 100ms;
    ann.turn({});
  }
  EXPECT_EQ(ann.in_force(), "A");
  EXPECT_TRUE(ann.control().status().is_waiting);
  EXPECT_NE(ann.lines.back().find("are not in force"), std::string::npos) << ann.lines.back();
  for (int i = 0; i < 300; ++i) {
    clock.time += 100ms;
    ann.turn(test::at(2h));
  }
  EXPECT_EQ(ann.in_force(), "B");
  EXPECT_FALSE(ann.control().status().is_waiting);
}

TEST(RuleControl, AMistakeChangesNothingAndIsSaidUntilItIsMended) {
  Topic topic;
  TestClock clock;
  Process ann("ann", "A", topic, clock);
  for (int i = 0; i < 3; ++i) ann.turn({});
  ann.control().note_trouble("rules.yaml:3:5: unknown key");
  ann.turn({});
  EXPECT_EQ(ann.control().status().trouble, "rules.yaml:3:5: unknown key");
  EXPECT_EQ(ann.control().status().reloads_failed, 1);
  EXPECT_EQ(topic.records.back().first, "trouble/ann");
  EXPECT_NE(topic.records.back().second.find("unknown key"), std::string::npos);
  ann.control().reload(files_of("A"), hash_of("A"));
  ann.turn({});
  EXPECT_EQ(ann.control().status().trouble, "");
  EXPECT_EQ(topic.records.back(), (std::pair<std::string, std::string>("trouble/ann", "")));
  EXPECT_EQ(ann.in_force(), "A");
}

TEST(Fault, F51_AReloadEachSecondForTenMinutesEndsInTheLastRules) {
  Topic topic;
  TestClock clock;
  Process ann("ann", "A", topic, clock);
  for (int i = 0; i < 3; ++i) ann.turn({});
  for (int second = 0; second < 600; ++second) {
    const std::string alert = "R" + std::to_string(second);
    ann.control().reload(files_of(alert), hash_of(alert));
    for (int i = 0; i < 3; ++i) {
      clock.time += 333ms;
      ann.turn(test::at(2h + std::chrono::seconds{10 * second}));
    }
  }
  for (int i = 0; i < 100; ++i) {
    clock.time += 100ms;
    ann.turn(test::at(5h));
  }
  EXPECT_EQ(ann.in_force(), "R599");
  EXPECT_LT(topic.records.size(), 2'500U) << "each step is written once or twice";
}

}  // namespace rule_control_test
}  // namespace tocsin
