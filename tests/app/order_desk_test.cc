#include "app/order_desk.h"

#include <gtest/gtest.h>

#include "core/alert/acceptance.h"
#include "core/test_support.h"

namespace tocsin {
namespace order_desk_test {

using namespace std::chrono_literals;
using test::event_at;

// A desk whose records come back to it, as a log or a cluster gives them back.
class OrderDeskTest : public testing::Test {
 protected:
  DeskAnswer ask(const std::string& method, std::vector<std::string> path, const std::string& body = {},
                 Duration now = 0s) {
    auto answer = desk.handle({method, std::move(path), body}, event_at(now), event_at(now), &alerts);
    if (!answer) return {404, {}, {}, {}};
    for (const NewRecord& record : answer->records) desk.apply(record.topic, record.key, record.value);
    return *answer;
  }
  static bool says(const DeskAnswer& answer, std::string_view text) {
    return answer.body.find(text) != std::string::npos;
  }

  // Two agents of one rule with a baseline fire; another rule has none.
  AlertsNow two_spikes() const {
    AlertsNow now;
    now.rules = test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: Spike, from: step, value: per_hour(cost), window: 1h, when: value > 2 * baseline, baseline: {range: 24h}, labels: {severity: critical}}
  - {alert: ManyCalls, from: tool.call, value: count(), window: 5m, when: value > 3}
)");
    for (const char* agent : {"support", "billing"}) {
      AlertChange change;
      change.alert = "Spike";
      change.at = test::at(1h);
      change.labels = {{"agent", agent}, {"severity", "critical"}};
      now.firing.push_back({change, 1});
    }
    return now;
  }
  DeskAnswer accept(const std::string& body, Duration now = 2h) {
    return ask("POST", {"v1", "baselines", "accept"}, body, now);
  }

  AlertsNow alerts = two_spikes();
  OrderDesk desk{{"eu1", true}};
};

TEST_F(OrderDeskTest, ALevelIsAcceptedForTheGroupThatFires) {
  const std::string body =
      R"({"alert":"Spike","labels":{"agent":"support","severity":"critical"},"by":"ann","reason":"new"})";
  const auto answer = accept(body);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(says(answer, R"("fires_here":true)"));
  ASSERT_EQ(answer.records.size(), 1U);
  EXPECT_EQ(answer.records[0].topic, Topic::silences);
  const auto made = acceptance_from_json(answer.records[0].value);
  ASSERT_TRUE(made);
  EXPECT_EQ(answer.records[0].key, "accept/" + made->id);
  EXPECT_EQ(made->labels, (Labels{{"agent", "support"}}));
  EXPECT_EQ(made->at, event_at(2h));
  EXPECT_EQ(answer.log_line, "the level of Spike for agent=support was accepted by ann: new (" + made->id + ")");
  const auto behind = accept(body, 30min);
  EXPECT_EQ(acceptance_from_json(behind.records.at(0).value)->at, event_at(1h)) << "it fired before it was accepted";
}

TEST_F(OrderDeskTest, AnAcceptanceThatCanDoNothingIsRefusedWithTheReason) {
  const auto refused = [&](const std::string& body, int status, std::string_view reason) {
    const auto answer = accept(body);
    EXPECT_EQ(answer.status, status) << body << answer.body;
    EXPECT_TRUE(says(answer, reason)) << answer.body;
    EXPECT_TRUE(answer.records.empty());
  };
  const std::string who = R"("by":"ann","reason":"new")";
  refused("[]", 400, "a JSON object");
  refused("{" + who + "}", 400, "'alert'");
  refused(R"({"alert":"Spike","by":"ann"})", 400, "'reason'");
  refused(R"({"alert":"Spike","reason":"new"})", 400, "'by'");
  refused(R"({"alert":"Spikes",)" + who + "}", 404, "no alert Spikes; those with a baseline: Spike\"");
  refused(R"({"alert":"ManyCalls",)" + who + "}", 409, "no baseline");
  refused(R"({"alert":"Spike","labels":{"agnet":"support"},)" + who + "}", 400,
          "no label agnet; its groups have: env, agent");
  refused(R"({"alert":"Spike","labels":{"agent":"other"},)" + who + "}", 404, "does not fire for agent=other");
  refused(R"({"alert":"Spike","labels":{"agent":"support","env":"prod"},)" + who + "}", 404, "does not fire");
  refused(R"({"alert":"Spike",)" + who + "}", 409, "agent=support; agent=billing");
  alerts.firing.clear();
  refused(R"({"alert":"Spike",)" + who + "}", 404, "any group");
}

TEST_F(OrderDeskTest, WhatAnotherProcessHasIsOrderedOfItByAllLabels) {
  alerts.is_all = false;
  const auto vague = accept(R"({"alert":"Spike","labels":{"agent":"other"},"by":"ann","reason":"new"})");
  EXPECT_EQ(vague.status, 404);
  EXPECT_TRUE(says(vague, "name all its labels: env, agent")) << vague.body;
  const auto answer = accept(R"({"alert":"Spike","labels":{"env":"","agent":"other"},"by":"ann","reason":"new"})");
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_TRUE(says(answer, R"("fires_here":false)"));
  EXPECT_EQ(acceptance_from_json(answer.records.at(0).value)->labels, (Labels{{"agent", "other"}}));
}

TEST_F(OrderDeskTest, WithoutAServiceNoLevelIsAccepted) {
  EXPECT_FALSE(desk.handle({"POST", {"v1", "baselines", "accept"}, "{}"}, event_at(0s), event_at(0s)));
}

TEST_F(OrderDeskTest, AScopeIsHaltedFromItsDrillUntilItsRelease) {
  const auto drill = ask("POST", {"v1", "halts", "drill"}, R"({"scope":"task:1","by":"ann"})");
  EXPECT_EQ(drill.status, 200);
  ASSERT_EQ(drill.records.size(), 1U);
  EXPECT_TRUE(says(ask("GET", {"v1", "halts", "task:1"}), R"("halted":true)"));
  EXPECT_TRUE(says(ask("GET", {"v1", "halts", "task:1"}, {}, 10min), R"("halted":false)")) << "a drill expires";
  EXPECT_EQ(ask("POST", {"v1", "halts", "release"}, R"({"scope":"task:1","by":"ann"})").status, 400);
  EXPECT_EQ(ask("POST", {"v1", "halts", "release"}, R"({"scope":"task:1","by":"ann","reason":"seen"})").status, 200);
  EXPECT_TRUE(says(ask("GET", {"v1", "halts", "task:1"}), R"("halted":false)"));
  EXPECT_EQ(ask("POST", {"v1", "halts", "release"}, R"({"scope":"task:1","by":"ann","reason":"seen"})").status, 404);
}

TEST_F(OrderDeskTest, AnAcknowledgementIsARecordUnderItsHaltsId) {
  const auto answer = ask("POST", {"v1", "halt-acks"}, R"({"halt_id":"h","scope":"task:1","by":"obey.py"})", 5s);
  EXPECT_EQ(answer.status, 202);
  ASSERT_EQ(answer.records.size(), 1U);
  EXPECT_EQ(answer.records[0].topic, Topic::halt_acks);
  EXPECT_EQ(answer.records[0].key, "h");
  EXPECT_EQ(
      answer.records[0].value,
      R"({"kind":"halt_ack","halt_id":"h","scope":"task:1","by":"obey.py","at":"2026-01-05T00:00:05.000Z","version":1})");
  EXPECT_EQ(ask("POST", {"v1", "halt-acks"}, R"({"halt_id":"h"})").status, 400);
}

TEST_F(OrderDeskTest, ASilenceIsAddedListedAndExpired) {
  const auto added =
      ask("POST", {"v1", "silences"}, R"({"matchers":"agent=support","for":"2h","by":"ann","reason":"an outage"})");
  EXPECT_EQ(added.status, 200) << added.body;
  EXPECT_TRUE(says(added, R"("state":"active")"));
  const std::string id = added.records.at(0).key.substr(std::string_view("silence/").size());
  EXPECT_NE(desk.silences().covers("CostSpike", {{"agent", "support"}}, event_at(1h)), nullptr);
  EXPECT_EQ(ask("POST", {"v1", "silences", "expire"}, R"({"id":")" + id + R"(","by":"bob"})", 1h).status, 200);
  EXPECT_EQ(desk.silences().covers("CostSpike", {{"agent", "support"}}, event_at(1h)), nullptr);
  EXPECT_TRUE(says(ask("GET", {"v1", "silences"}, {}, 1h), R"("state":"ended")"));
  EXPECT_EQ(ask("POST", {"v1", "silences", "expire"}, R"({"id":")" + id + R"(","by":"bob"})", 1h).status, 404);
}

TEST_F(OrderDeskTest, ASilenceMayBeginLaterAndEndAtATime) {
  const auto added = ask("POST", {"v1", "silences"},
                         R"({"matchers":["env=prod"],"from":"2026-01-05T01:00:00Z","until":"2026-01-05T02:00:00Z",)"
                         R"("by":"ann","reason":"maintenance"})");
  EXPECT_EQ(added.status, 200) << added.body;
  EXPECT_TRUE(says(added, R"("state":"pending")"));
  EXPECT_EQ(desk.silences().covers("A", {{"env", "prod"}}, event_at(30min)), nullptr);
  EXPECT_NE(desk.silences().covers("A", {{"env", "prod"}}, event_at(90min)), nullptr);
}

TEST_F(OrderDeskTest, WhatIsNoRequestOfOursIsLeftToOthersAndWhatIsBrokenIsRefused) {
  EXPECT_FALSE(desk.handle({"GET", {"v1", "alerts"}, {}}, event_at(0s), event_at(0s)));
  EXPECT_FALSE(desk.handle({"DELETE", {"v1", "silences"}, {}}, event_at(0s), event_at(0s)));
  EXPECT_FALSE(desk.handle({"GET", {}, {}}, event_at(0s), event_at(0s)));
  for (const std::string& body : {std::string(), std::string("[]"), std::string(100'000, '['), std::string("{")}) {
    EXPECT_EQ(ask("POST", {"v1", "silences"}, body).status, 400);
    EXPECT_EQ(ask("POST", {"v1", "halts", "drill"}, body).status, 400);
  }
  EXPECT_EQ(ask("POST", {"v1", "silences"}, R"({"matchers":"a=b","for":"500000w","by":"a","reason":"b"})").status,
            400);
}

}  // namespace order_desk_test
}  // namespace tocsin
