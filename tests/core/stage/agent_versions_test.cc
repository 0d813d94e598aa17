#include "core/stage/agent_versions.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace agent_versions_test {

using namespace std::chrono_literals;
using test::at;

const GroupKey agent("prod\0support", 12);
const std::vector<StringField> models{StringField::model};

void show(AgentVersions& versions, const std::string& value, Duration when, StringField field = StringField::model) {
  versions.note({agent, field, value}, at(when));
}

TEST(AgentVersions, TheCurrentVersionIsTheOneShownLast) {
  AgentVersions versions;
  EXPECT_EQ(versions.current(agent, StringField::model), "");
  show(versions, "m1", 10s);
  show(versions, "m2", 20s);
  EXPECT_EQ(versions.current(agent, StringField::model), "m2");
  show(versions, "m1", 30s);
  EXPECT_EQ(versions.current(agent, StringField::model), "m1") << "rolled back";
  EXPECT_EQ(versions.current(GroupKey("prod\0other", 10), StringField::model), "");
}

TEST(AgentVersions, TheFirstVersionResetsNothing) {
  AgentVersions versions;
  show(versions, "m1", 10s);
  EXPECT_FALSE(versions.last_reset(agent, models));
}

TEST(AgentVersions, ANewVersionResetsWhenItBegan) {
  AgentVersions versions;
  show(versions, "m1", 10s);
  show(versions, "m2", 1h);
  show(versions, "m2", 2h);
  EXPECT_EQ(versions.last_reset(agent, models), at(1h));
  EXPECT_FALSE(versions.last_reset(agent, {StringField::spec_version})) << "only of the fields asked for";
}

TEST(AgentVersions, AnAgentWithTwoModelsDoesNotFlap) {
  AgentVersions versions;
  show(versions, "m1", 10s);
  show(versions, "m2", 20s);
  for (Duration t = 30s; t < 30h; t += 10min) show(versions, t % 20min == 30s ? "m1" : "m2", t);
  EXPECT_EQ(versions.last_reset(agent, models), at(20s));
}

TEST(AgentVersions, AVersionThatWasAwayForADayIsNewAgain) {
  AgentVersions versions;
  show(versions, "m1", 0s);
  for (Duration t = 1h; t < 40h; t += 1h) show(versions, "m2", t);
  show(versions, "m1", 40h);
  EXPECT_EQ(versions.last_reset(agent, models), at(40h));
}

TEST(AgentVersions, WhatChangedInTheLastHourIsNamedWithItsPredecessor) {
  AgentVersions versions;
  show(versions, "1.3", 0s, StringField::spec_version);
  show(versions, "1.4", 5h, StringField::spec_version);
  show(versions, "m1", 5h);
  EXPECT_EQ(versions.changed(agent, at(5h + 59min)), (Labels{{"spec_version", "1.3 -> 1.4"}}))
      << "a model seen for the first time is no change";
  EXPECT_EQ(versions.changed(agent, at(6h + 1s)), Labels{});
  EXPECT_EQ(versions.versions(agent), (Labels{{"spec_version", "1.4"}, {"model", "m1"}}));
}

TEST(AgentVersions, ForgetsWhatWasNotShownForEightDays) {
  AgentVersions versions;
  show(versions, "m1", 0s);
  std::vector<StateRecord> dropped;
  versions.forget(at(191h), dropped);
  EXPECT_EQ(versions.current(agent, StringField::model), "m1");
  versions.forget(at(193h), dropped);
  EXPECT_EQ(versions.current(agent, StringField::model), "");
}

TEST(AgentVersions, ThousandsOfValuesAreBoundedAndTheLastOneIsKnown) {
  AgentVersions versions;
  for (int i = 0; i < 5'000; ++i) show(versions, "m" + std::to_string(i), i * 10s);
  EXPECT_EQ(versions.current(agent, StringField::model), "m4999");
}

}  // namespace agent_versions_test
}  // namespace tocsin
