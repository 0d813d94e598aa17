#include "core/rule/condition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace tocsin {
namespace condition_test {

ConditionScope ratio_scope() {
  ConditionScope scope;
  scope.values = {{"value", Unit::plain, true, true, true}, {"cost", Unit::money, false, true, false}};
  return scope;
}

class Compiled {
 public:
  explicit Compiled(std::string_view text, const ConditionScope& scope = ratio_scope(), bool number = false) {
    ExpressionError error;
    const auto expression = parse_expression(text, error);
    ok = expression && Condition::compile(*expression, scope, number, condition, error);
    message = std::to_string(error.offset) + ": " + error.message;
  }
  using Known = std::map<Variable::Kind, double>;
  std::vector<double> inputs(const Known& known) const {
    std::vector<double> list;
    for (const Variable& variable : condition.variables()) {
      const auto found = known.find(variable.kind);
      list.push_back(found == known.end() ? unknown_number : found->second);
    }
    return list;
  }
  Truth holds(const Known& known) const { return condition.holds(inputs(known).data()); }
  double number(const Known& known) const { return condition.number(inputs(known).data()); }

  Condition condition;
  bool ok = false;
  std::string message;
};

using K = Variable::Kind;

TEST(Condition, FollowsKleenesLogic) {
  const Compiled both("hits >= 4 && value > 3 * baseline");
  ASSERT_TRUE(both.ok) << both.message;
  EXPECT_EQ(both.holds({{K::hits, 3}}), Truth::no) << "whatever the baseline is";
  EXPECT_EQ(both.holds({{K::hits, 4}}), Truth::unknown);
  EXPECT_EQ(both.holds({{K::hits, 4}, {K::value, 0.5}, {K::baseline, 0.1}}), Truth::yes);
  EXPECT_EQ(both.holds({{K::value, 0.1}, {K::baseline, 0.1}}), Truth::no);
  const Compiled either("hits >= 4 || value > 3 * baseline");
  EXPECT_EQ(either.holds({{K::hits, 4}}), Truth::yes);
  EXPECT_EQ(either.holds({{K::hits, 3}}), Truth::unknown);
  EXPECT_EQ(Compiled("!(hits >= 4)").holds({}), Truth::unknown);
  EXPECT_EQ(Compiled("!(hits >= 4)").holds({{K::hits, 3}}), Truth::yes);
}

TEST(Condition, ArithmeticWithAnUnknownIsUnknown) {
  for (const char* text : {"value + 1 > 0", "0 * value < 1", "min(value, 1) <= 1", "max(value, 5) >= 5",
                           "abs(value) >= 0", "-value < 1", "value == value", "value != value", "1 / value > 0"}) {
    EXPECT_EQ(Compiled(text).holds({}), Truth::unknown) << text;
  }
  EXPECT_EQ(Compiled("value / samples > 0").holds({{K::value, 1}, {K::samples, 0}}), Truth::unknown) << "by zero";
}

TEST(Condition, CalculatesAsOneReadsIt) {
  const auto number = [](const char* text) { return Compiled(text, ratio_scope(), true).number({{K::value, 4}}); };
  EXPECT_DOUBLE_EQ(number("value + 2 * 3 - 1"), 9);
  EXPECT_DOUBLE_EQ(number("(1 + value) / 2"), 2.5);
  EXPECT_DOUBLE_EQ(number("min(value, 3, 9)"), 3);
  EXPECT_DOUBLE_EQ(number("max(1, value, 2)"), 4);
  EXPECT_DOUBLE_EQ(number("abs(1 - value)"), 3);
  EXPECT_DOUBLE_EQ(number("-value * -1"), 4);
}

TEST(Condition, ComparisonsAtTheirEdge) {
  const auto holds = [](const char* text) { return Compiled(text).holds({{K::value, 2}}) == Truth::yes; };
  EXPECT_TRUE(holds("value >= 2") && holds("value <= 2") && holds("value == 2"));
  EXPECT_FALSE(holds("value > 2") || holds("value < 2") || holds("value != 2"));
}

TEST(Condition, UnitsMustFit) {
  ConditionScope task;
  task.of_task = true;
  EXPECT_TRUE(Compiled("elapsed > 2 * spec.wall_clock", task).ok);
  EXPECT_TRUE(Compiled("elapsed > 30m", task).ok);
  EXPECT_TRUE(Compiled("hits >= 4 && (hits >= 5 || window <= 1h)").ok);
  EXPECT_TRUE(Compiled("cost > 5").ok) << "a bare number beside dollars is dollars";
  EXPECT_TRUE(Compiled("cost > spec.cost.per_hour").ok);
  EXPECT_TRUE(Compiled("cost / baseline.cost > 2").ok) << "dollars by dollars is a plain number";
  for (const auto& [text, scope] : std::initializer_list<std::pair<const char*, ConditionScope>>{
           {"elapsed > 30", task},
           {"elapsed > spec.cost.per_hour", task},
           {"elapsed * elapsed > 5m", task},
           {"1 / elapsed > 1", task},
           {"window > 60", ratio_scope()},
           {"window > 1h", task},
           {"cost > value", ratio_scope()},
           {"cost > 5m", ratio_scope()},
           {"value > spec.cost.per_day", ratio_scope()},
           {"cost + spec.surface_rate.max > 1", ratio_scope()},
           {"min(cost, 5m) > 1", ratio_scope()}}) {
    EXPECT_FALSE(Compiled(text, scope).ok) << text;
  }
}

TEST(Condition, MistakesAreReportedWhereTheyStand) {
  const std::pair<const char*, const char*> cases[] = {
      {"value", "0: a condition is needed"},
      {"value > (hits > 2)", "14: a number is needed"},
      {"valu > 2", "0: 'valu' has no meaning here (did you mean 'value'?)"},
      {"elapsed > 5m", "0: 'elapsed' exists only in rules with mode: task"},
      {"low(cost) > 2", "4: low() is the bound of a ratio"},
      {"low(value, 2) > 2", "0: low() takes the name of one value"},
      {"baseline.stddev > 1", "0: 'baseline.stddev' has no meaning"},
      {"spec.surface_rate > 1", "0: 'surface_rate' is no bound of a spec"},
      {"max(value) > 1", "0: max() takes two numbers"},
      {"avg(value) > 1", "0: 'avg' is no function here"},
      {"value in [1]", "6: 'in' belongs into where:"},
      {"value > \"a\"", "8: a number is needed here"},
      {"!value", "1: a condition is needed"},
  };
  for (const auto& [text, message] : cases) {
    const Compiled compiled(text);
    EXPECT_FALSE(compiled.ok) << text;
    EXPECT_TRUE(compiled.message.starts_with(message)) << text << " gave " << compiled.message;
  }
  ConditionScope plain;
  plain.values = {{"value", Unit::plain, false, false, false}};
  EXPECT_NE(Compiled("value > baseline", plain).message.find("no baseline"), std::string::npos);
  EXPECT_NE(Compiled("hits > 1", plain).message.find("only for ratio"), std::string::npos);
  plain.values[0].has_baseline = true;
  EXPECT_NE(Compiled("value > baseline.stdev", plain).message.find("needs blocks"), std::string::npos);
}

TEST(Condition, ThresholdsOfTaskRulesAreFound) {
  ConditionScope task;
  task.of_task = true;
  const auto thresholds = [&](const char* text, Compiled::Known known = {}) {
    const Compiled compiled(text, task);
    EXPECT_TRUE(compiled.ok) << compiled.message;
    std::vector<Condition::Threshold> list;
    std::string all = compiled.condition.thresholds(compiled.inputs(known).data(), list) ? "" : "none";
    for (const auto& one : list) {
      all += (one.kind == K::elapsed ? "elapsed " : "silent ") +
             (is_unknown(one.seconds) ? "unknown" : std::to_string(static_cast<int>(one.seconds))) + " ";
    }
    return all;
  };
  EXPECT_EQ(thresholds("elapsed > 2 * spec.wall_clock", {{K::spec, 600}}), "elapsed 1200 ");
  EXPECT_EQ(thresholds("elapsed > 2 * spec.wall_clock"), "elapsed unknown ");
  EXPECT_EQ(thresholds("5m <= elapsed && silent > 30s"), "elapsed 300 silent 30 ");
  EXPECT_EQ(thresholds("elapsed > 5m || silent > 30s"), "none");
  EXPECT_EQ(thresholds("elapsed < 5m"), "none");
  EXPECT_EQ(thresholds("elapsed - silent > 5m"), "none");
}

TEST(Condition, EachInputIsAskedForOnce) {
  const Compiled compiled("value > 2 * baseline && value - baseline > 0.1 && low(value) > 0");
  EXPECT_EQ(compiled.condition.variables().size(), 3u);
  EXPECT_TRUE(compiled.condition.uses(K::low));
  EXPECT_FALSE(compiled.condition.uses(K::hits));
}

TEST(WilsonInterval, HasItsPublishedValues) {
  // Newcombe 1998, table I (95 %): 81/263, 15/148, 0/20, 1/29.
  const auto near = [](double hits, double samples, double low, double high) {
    const Interval interval = wilson_interval(hits, samples, z_of_confidence(0.95));
    EXPECT_NEAR(interval.low, low, 5e-5) << hits << "/" << samples;
    EXPECT_NEAR(interval.high, high, 5e-5) << hits << "/" << samples;
  };
  near(81, 263, 0.2553, 0.3662);
  near(15, 148, 0.0624, 0.1605);
  near(0, 20, 0, 0.1611);
  near(1, 29, 0.0061, 0.1718);
}

TEST(WilsonInterval, StaysWithinZeroAndOneAndOfNoSamplesIsUnknown) {
  EXPECT_TRUE(is_unknown(wilson_interval(0, 0, 2.5758).low));
  for (const double samples : {1.0, 2.0, 10.0, 1e6}) {
    for (const double hits : {0.0, samples / 2, samples}) {
      const Interval interval = wilson_interval(hits, samples, 2.5758);
      EXPECT_GE(interval.low, 0);
      EXPECT_LE(interval.high, 1);
      EXPECT_LE(interval.low, hits / samples + 1e-12);
      EXPECT_GE(interval.high, hits / samples - 1e-12);
    }
  }
}

TEST(WilsonInterval, MoreSamplesNarrowIt) {
  double width = 1;
  for (const double samples : {4.0, 20.0, 100.0, 5'000.0}) {
    const Interval interval = wilson_interval(samples / 4, samples, 2.5758);
    EXPECT_LT(interval.high - interval.low, width);
    width = interval.high - interval.low;
  }
}

TEST(Confidence, HasTheQuantilesOfTheNormalDistribution) {
  EXPECT_NEAR(z_of_confidence(0.99), 2.5758293, 1e-6);
  EXPECT_NEAR(z_of_confidence(0.95), 1.9599640, 1e-6);
  EXPECT_NEAR(z_of_confidence(0.5), 0.6744898, 1e-6);
}

}  // namespace condition_test
}  // namespace tocsin
