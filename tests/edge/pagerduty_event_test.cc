// Pages as PagerDuty takes them: which field goes where, and no event that it would refuse for its size.

#include "edge/pagerduty/pagerduty_event.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/alert/alert_change.h"

namespace tocsin {
namespace pagerduty_event_test {

using Json = nlohmann::json;

AlertChange change(bool firing = true) {
  AlertChange change;
  change.at = {Duration{1'767'758'610'000}};
  change.alert = "CostSpike";
  change.firing = firing;
  change.labels = {{"agent", "support"}, {"env", "prod"}, {"severity", "critical"}};
  change.annotations = {{"summary", "support costs 4 times as much as usual"}};
  change.value = 4.2;
  change.episode = 3;
  change.alert_id = alert_id("", "CostSpike", {{"agent", "support"}});
  change.page_id = page_id(change.alert_id, 3, firing);
  change.dedup_key = change.alert_id + ":3";
  change.examples = {{"task-7", {{"trace", "https://traces.example.com/task-7"}, {"note", "not an address"}}}};
  return change;
}

Json event_of(const AlertChange& change) {
  const auto text = to_pagerduty_event(to_page_json(change), "R0UT1NGK3Y");
  return text ? Json::parse(*text) : Json{};
}

TEST(PagerdutyEvent, HasEveryFieldOfAPage) {
  const Json event = event_of(change());
  EXPECT_EQ(event["routing_key"], "R0UT1NGK3Y");
  EXPECT_EQ(event["event_action"], "trigger");
  EXPECT_EQ(event["dedup_key"], change().dedup_key);
  EXPECT_EQ(event["client"], "tocsin");
  EXPECT_EQ(event["links"], Json::parse(R"([{"href": "https://traces.example.com/task-7", "text": "trace task-7"}])"))
      << "an address that is none would cost the whole event";
  const Json& payload = event["payload"];
  EXPECT_EQ(payload["summary"], "support costs 4 times as much as usual");
  EXPECT_EQ(payload["source"], "support");
  EXPECT_EQ(payload["severity"], "critical");
  EXPECT_EQ(payload["timestamp"], "2026-01-07T04:03:30.000Z");
  EXPECT_EQ(payload["component"], "support");
  EXPECT_EQ(payload["group"], "prod");
  EXPECT_EQ(payload["class"], "CostSpike");
  EXPECT_EQ(payload["custom_details"]["value"], 4.2);
  EXPECT_EQ(payload["custom_details"]["page_id"], change().page_id.value());
}

TEST(PagerdutyEvent, ATriggerAndItsResolutionShareTheirKey) {
  const Json trigger = event_of(change(true)), resolution = event_of(change(false));
  EXPECT_EQ(trigger["event_action"], "trigger");
  EXPECT_EQ(resolution["event_action"], "resolve");
  EXPECT_EQ(trigger["dedup_key"], resolution["dedup_key"]);
}

TEST(PagerdutyEvent, ASeverityThatPagerdutyDoesNotKnowIsAnError) {
  for (const auto& [ours, theirs] : std::map<std::string, std::string>{{"critical", "critical"},
                                                                       {"error", "error"},
                                                                       {"warning", "warning"},
                                                                       {"info", "info"},
                                                                       {"page", "error"},
                                                                       {"Critical", "error"},
                                                                       {"", "error"}}) {
    AlertChange one = change();
    one.labels.back().second = ours;
    EXPECT_EQ(event_of(one)["payload"]["severity"], theirs) << ours;
  }
}

TEST(PagerdutyEvent, ASummaryIsCutBetweenCharactersAndCountedInThem) {
  AlertChange one = change();
  std::string longest;
  for (int i = 0; i < 1'024; ++i) longest += "𝄞";
  one.annotations = {{"summary", longest}};
  EXPECT_EQ(event_of(one)["payload"]["summary"], longest) << "4,096 bytes are 1,024 characters";
  one.annotations = {{"summary", "a" + longest}};
  const std::string cut = event_of(one)["payload"]["summary"];
  EXPECT_EQ(cut, "a" + longest.substr(0, 4 * 1'022) + "…");
}

TEST(PagerdutyEvent, CutsNothingThatFits) {
  EXPECT_EQ(cut_to_characters("", 1), "");
  EXPECT_EQ(cut_to_characters("ä", 1), "ä");
  EXPECT_EQ(cut_to_characters("äö", 1), "…");
  EXPECT_EQ(cut_to_characters("äöü", 2), "ä…");
  EXPECT_EQ(cut_to_characters("äöü", 3), "äöü");
}

TEST(PagerdutyEvent, ADedupKeyThatIsTooLongIsReplacedByTheSameForBoth) {
  AlertChange trigger = change(true), resolution = change(false), other = change(true);
  trigger.dedup_key = resolution.dedup_key = std::string(300, 'k') + ":1";
  other.dedup_key = std::string(300, 'k') + ":2";
  const std::string key = event_of(trigger)["dedup_key"];
  EXPECT_LE(key.size(), 255u);
  EXPECT_EQ(event_of(resolution)["dedup_key"], key);
  EXPECT_NE(event_of(other)["dedup_key"], key);
}

TEST(PagerdutyEvent, DetailsGiveWayWhereTheEventWouldBeTooLarge) {
  AlertChange one = change();
  one.annotations.emplace_back("runbook", std::string(600'000, 'x'));
  const auto text = to_pagerduty_event(to_page_json(one), "key");
  ASSERT_TRUE(text);
  EXPECT_LE(text->size(), most_event_bytes);
  const Json event = Json::parse(*text);
  EXPECT_FALSE(event["payload"].contains("custom_details"));
  EXPECT_EQ(event["payload"]["summary"], "support costs 4 times as much as usual");
  EXPECT_EQ(event["links"].size(), 1u);
}

TEST(PagerdutyEvent, StaysWithinItsBoundWhateverTheFieldsAre) {
  AlertChange one = change();
  const std::string huge(400'000, 'x');
  one.alert = one.dedup_key = huge;
  one.labels = {{"agent", huge}, {"env", huge}, {"severity", huge}};
  one.annotations = {{"summary", huge}};
  one.examples.assign(100, {huge, {{huge, "https://example.com/" + std::string(2'000, 'y')}}});
  const auto text = to_pagerduty_event(to_page_json(one), "key");
  ASSERT_TRUE(text);
  EXPECT_LE(text->size(), most_event_bytes);
  EXPECT_LE(Json::parse(*text)["links"].size(), 20u);
}

TEST(PagerdutyEvent, APageWithoutASummaryOrAnAgentIsStillAnEvent) {
  AlertChange one = change();
  one.alert = "HaltStorm";
  one.labels = one.annotations = {};
  const Json event = event_of(one);
  EXPECT_EQ(event["payload"]["summary"], "HaltStorm");
  EXPECT_EQ(event["payload"]["source"], "tocsin");
  EXPECT_EQ(event["payload"]["severity"], "error");
  EXPECT_FALSE(event["payload"].contains("component"));
}

TEST(PagerdutyEvent, WhatIsNoPageIsNoEvent) {
  for (const char* text : {"", "{", "[]", "1", "{}", R"({"data": 1})", R"({"data": {"state": "firing"}})",
                           R"({"data": {"state": "odd", "dedup_key": "k"}})", "{\"data\": \"\xff\"}"}) {
    EXPECT_FALSE(to_pagerduty_event(text, "key")) << text;
  }
}

}  // namespace pagerduty_event_test
}  // namespace tocsin
