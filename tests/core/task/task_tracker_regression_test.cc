// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/task/task_tracker.h"
#include "core/test_support.h"

namespace tocsin {
namespace task_tracker_regression_test {

using namespace std::chrono_literals;
using test::at;

std::size_t overs(const std::string& rules_text, Duration first_budget = 0s) {
  const auto rules = test::rules_from(rules_text);
  TaskTracker tracker(*rules, 10);
  EventFields event;
  event.type = EventType::task_started;
  std::vector<TaskNews> news;
  std::vector<Task> closed;
  if (first_budget > 0s) {
    event.time = test::event_at(1s);
    event.set(StringField::correlation_id, "long");
    event.set(NumberField::budget_wall_clock, first_budget / std::chrono::microseconds{1});
    tracker.apply(event, at(1s));
  } else {
    tracker.close(at(0s), news, closed);
  }
  event.time = test::event_at(1s);
  event.set(StringField::correlation_id, "a");
  event.set(NumberField::budget_wall_clock, 360'000'000);  // six minutes
  tracker.apply(event, at(1s));
  for (RecordTime t = at(10s); t <= at(1h); t = t + 10s) tracker.close(t, news, closed);
  return news.size();
}

TEST(TaskTracker, EveryPartOfAConditionIsAsked) {
  EXPECT_EQ(
      overs("groups: [{name: g, rules: [{alert: A, mode: task, when: elapsed > 5m && spec.wall_clock > 10m}]}]"), 0u);
}

std::string many_rules(int count) {
  std::string text = "groups:\n- name: g\n  rules:\n";
  for (int i = 0; i < count; ++i) text += "  - {alert: A" + std::to_string(i) + ", mode: task, when: elapsed > 5m}\n";
  return text;
}

TEST(TaskTracker, EveryRuleThatLoadsIsLookedAt) {
  EXPECT_EQ(overs(many_rules(32)), 32u);
  const NamedText one_too_many{"rules.yaml", many_rules(33)};
  Diagnostics diagnostics;
  EXPECT_EQ(load_rules({&one_too_many, 1}, diagnostics), nullptr);
  ASSERT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.all()[0].code, "too-many");
}

TEST(TaskTracker, ALongFirstTaskHidesNoOtherTask) {
  EXPECT_EQ(overs("groups: [{name: g, rules: [{alert: A, mode: task, when: elapsed > 2 * spec.wall_clock}]}]", 10h),
            1u);
}

TEST(TaskTracker, ASpecThatALaterStepNamesBoundsTheTask) {
  const auto rules = test::rules_from(R"(
groups: [{name: g, rules: [{alert: A, mode: task, when: elapsed > 2 * spec.wall_clock}]}]
specs: [{name: policy, version: "1", wall_clock: 10m}]
)");
  TaskTracker tracker(*rules, 10);
  std::vector<TaskNews> news;
  std::vector<Task> closed;
  EventFields event;
  event.type = EventType::task_started;
  event.time = test::event_at(1s);
  event.set(StringField::correlation_id, "a");
  tracker.apply(event, at(1s));
  event.type = EventType::step;
  event.time = test::event_at(2s);
  event.set(StringField::spec, "policy");
  event.set(StringField::spec_version, "1");
  tracker.apply(event, at(2s));
  for (RecordTime t = at(10s); t <= at(1h); t = t + 10s) tracker.close(t, news, closed);
  EXPECT_EQ(news.size(), 1u);
}

}  // namespace task_tracker_regression_test
}  // namespace tocsin
