// What spans mean beyond their names: tasks that were handed to a person, calls of tools that have two spans,
// refusals by rule, evaluations; over the records in which they come.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/event/hand_over.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace meaning_test {

using namespace std::chrono_literals;

const std::string trace = "5b8efff798038103d269b633813fc60c";

std::string text(const std::string& key, const std::string& value) {
  return R"({"key":")" + key + R"(","value":{"stringValue":")" + value + R"("}})";
}

struct Sketch {
  int number = 1;
  int parent = 0;
  std::string name;
  std::string attributes;
  std::string more;  // members of the span
};

std::string id_of(int number) {
  return "00000000000000" + std::to_string(10 + number);
}

std::string spans(const std::vector<Sketch>& list) {
  std::string json;
  for (const Sketch& one : list) {
    json += json.empty() ? "{" : ",{";
    json += R"("traceId":")" + trace + R"(","spanId":")" + id_of(one.number) + R"(","name":")" + one.name + R"(",)";
    if (one.parent != 0) json += R"("parentSpanId":")" + id_of(one.parent) + R"(",)";
    json += R"("startTimeUnixNano":"17675712000000000)" + std::to_string(10 + one.number) + R"(",)";
    json += R"("endTimeUnixNano":"17675712010000000)" + std::to_string(50 - one.number) + R"(",)";
    json += one.more + R"("attributes":[)" + one.attributes + "]}";
  }
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + json + "]}]}]}";
}

std::string log(const std::string& event, const std::string& attributes, const std::string& body = "") {
  return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1767571200000000000","eventName":")" +
         event + R"(","traceId":")" + trace + R"(","spanId":")" + id_of(2) + R"(","body":{"stringValue":")" + body +
         R"("},"attributes":[)" + attributes + "]}]}]}]}";
}

Sketch root(const std::string& attributes = "", const std::string& more = "") {
  return {1, 0, "invoke_agent a",
          text("gen_ai.operation.name", "invoke_agent") + (attributes.empty() ? "" : "," + attributes), more};
}
Sketch tool(int number, int parent, const std::string& name, const std::string& more = "") {
  return {number, parent, "execute_tool " + name,
          text("gen_ai.operation.name", "execute_tool") + "," + text("gen_ai.tool.name", name), more};
}

class Partition {
 public:
  explicit Partition(const std::string& names = "") : rules_(rules_with(names)) {
    const std::vector<unsigned char> key(32, 7);
    IngestOptions options;
    options.publish_events = true;
    stage_ = std::make_unique<IngestPartition>(options, rules_, test::shipped_patterns(), Fingerprinter(key));
  }

  static std::shared_ptr<const RuleSet> rules_with(const std::string& names) {
    std::vector<NamedText> files{{"rules.yaml",
                                  "groups: [{name: g, rules: [{alert: A, from: step, value: count(), "
                                  "window: 1m, when: value > 9}]}]\n"}};
    if (!names.empty()) files.push_back({"names.yaml", names});
    Diagnostics diagnostics;
    auto rules = load_rules(files, diagnostics);
    EXPECT_TRUE(rules);
    return rules;
  }

  Partition& apply(const std::string& record) {
    stage_->apply({{}, record, test::at(1s), offset_++}, out_);
    return *this;
  }

  const StreamTotals& totals() const { return stage_->totals(); }
  // Of events of a type, as they were published.
  std::vector<std::string> published(const std::string& type) const {
    std::vector<std::string> list;
    for (const auto& [key, one] : out_.published) {
      if (one.find("\"type\":\"" + type + "\"") != std::string::npos) list.push_back(one);
    }
    return list;
  }
  bool has(const std::string& type, const std::string& words) const {
    for (const std::string& one : published(type)) {
      if (one.find(words) != std::string::npos) return true;
    }
    return false;
  }

 private:
  std::shared_ptr<const RuleSet> rules_;
  std::unique_ptr<IngestPartition> stage_;
  IngestOutput out_;
  std::int64_t offset_ = 0;
};

TEST(Meaning, ATaskThatATransferToAPersonEndsWasSurfaced) {
  Partition one;
  one.apply(spans({tool(2, 1, "transfer_to_human_agents"), root()}));
  EXPECT_EQ(one.totals().surfaces, 1);
  Partition two;
  two.apply(spans({tool(2, 1, "transfer_to_human_agents")})).apply(spans({root()}));
  EXPECT_EQ(two.totals().surfaces, 1) << "the root comes in a later record";
  Partition said;
  said.apply(spans({tool(2, 1, "transfer_to_human_agents"), root(text("tocsin.task.outcome", "completed"))}));
  EXPECT_EQ(said.totals().surfaces, 0) << "what the root says counts";
  Partition failed;
  failed.apply(spans({tool(2, 1, "transfer_to_human_agents"), root("", R"("status":{"code":2},)")}));
  EXPECT_EQ(failed.totals().surfaces, 0);
  Partition another;
  another.apply(spans({tool(2, 1, "ask_a_colleague"), root()}));
  EXPECT_EQ(another.totals().surfaces, 0);
  Partition own("names: {hand_over_tools: [ask_a_colleague]}\n");
  own.apply(spans({tool(2, 1, "ask_a_colleague"), root()}));
  EXPECT_EQ(own.totals().surfaces, 1);
}

TEST(Meaning, ARunThatStopsForAnAnswerHasNotFailed) {
  const std::string stopped = R"("status":{"code":2},"events":[{"name":"exception","attributes":[)" +
                              text("exception.type", "langgraph.errors.GraphInterrupt") + "]}],";
  Partition one;
  one.apply(spans({tool(2, 1, "book", stopped)})).apply(spans({root()}));
  EXPECT_EQ(one.totals().surfaces, 1);
  EXPECT_EQ(one.totals().tool_errors, 0);
  Partition whole;
  whole.apply(spans({root("", stopped)}));
  EXPECT_EQ(whole.totals().surfaces, 1);
  Partition output;
  output.apply(spans({root(text("output.value", R"({\"messages\": [], \"__interrupt__\": [{\"value\": 1}]})"))}));
  EXPECT_EQ(output.totals().surfaces, 1);
  Partition other_error;
  other_error.apply(spans({root("", R"("status":{"code":2},"events":[{"name":"exception","attributes":[)" +
                                        text("exception.type", "ValueError") + "]}],")}));
  EXPECT_EQ(other_error.totals().surfaces, 0);
  EXPECT_TRUE(other_error.has("task.finished", R"("outcome":"errored")"));
}

TEST(Meaning, WhatAPersonWritesIsNoInterrupt) {
  EXPECT_TRUE(has_interrupt(R"({"a":1,"__interrupt__": [1]})"));
  EXPECT_TRUE(has_interrupt("{'__interrupt__': [1]}"));
  EXPECT_FALSE(has_interrupt(R"({"a":"they said \"__interrupt__\": yes"})"));
  EXPECT_FALSE(has_interrupt(R"({"a":"__interrupt__"})"));
  EXPECT_FALSE(has_interrupt("__interrupt__"));
  EXPECT_FALSE(has_interrupt(R"("__interrupt__)"));
}

TEST(Meaning, AnElicitationAsksAPersonAndIsNoCall) {
  Partition one;
  one.apply(spans({{2, 1, "elicitation/create", text("mcp.method.name", "elicitation/create"), ""}, root()}));
  EXPECT_TRUE(one.has("step", R"("step_type":"surface")"));
  EXPECT_EQ(one.totals().model_calls, 0);
  EXPECT_EQ(one.totals().tool_calls, 0);
}

TEST(Meaning, ClientAndServerOfATool) {
  const auto mcp = [](int number, int parent, const std::string& name, const std::string& more = "") {
    return Sketch{number, parent, "tools/call " + name,
                  text("mcp.method.name", "tools/call") + "," + text("gen_ai.tool.name", name) + "," +
                      text("gen_ai.operation.name", "execute_tool"),
                  more};
  };
  const Sketch plain{5, 3, "POST", text("http.method", "POST"), ""};
  const auto calls = [](std::vector<std::vector<Sketch>> records) {
    Partition partition;
    for (const auto& one : records) partition.apply(spans(one));
    return partition.totals().tool_calls;
  };
  EXPECT_EQ(calls({{tool(2, 1, "search"), mcp(3, 2, "search"), mcp(4, 3, "search")}}), 1);
  EXPECT_EQ(calls({{tool(2, 1, "search"), mcp(3, 2, "search"), plain, mcp(4, 5, "search")}}), 1);
  EXPECT_EQ(calls({{tool(2, 1, "mcp__web__search"), mcp(3, 2, "search")}}), 1);
  EXPECT_EQ(calls({{tool(2, 1, "research"), mcp(3, 2, "search")}}), 2) << "another tool";
  EXPECT_EQ(calls({{mcp(3, 2, "search")}, {mcp(4, 3, "search")}}), 1);
  EXPECT_EQ(calls({{mcp(4, 3, "search")}, {mcp(3, 2, "search")}}), 1) << "the server's comes first";
  EXPECT_EQ(calls({{mcp(4, 3, "fetch")}, {mcp(3, 2, "search")}}), 2);
  EXPECT_EQ(calls({{mcp(3, 2, "search")}, {mcp(4, 2, "search")}}), 2) << "two calls of one span";
  EXPECT_EQ(calls({{mcp(3, 2, "search")}, {mcp(3, 2, "search")}}), 1) << "sent again";
  EXPECT_EQ(calls({{mcp(3, 4, "search"), mcp(4, 3, "search")}}), 1) << "each other's parents";

  Partition failed;
  failed.apply(spans({mcp(3, 2, "search"), mcp(4, 3, "search", R"("status":{"code":2},)")}));
  EXPECT_EQ(failed.totals().tool_errors, 1) << "what only the server knows";
}

TEST(Meaning, ARuleThatRefusesAToolIsARefusalAndAPersonsNoIsNot) {
  const auto decision = [](const std::string& what, const std::string& by) {
    return log("",
               text("event.name", "tool_decision") + "," + text("tool_name", "Bash") + "," + text("decision", what) +
                   "," + text("source", by),
               "claude_code.tool_decision");
  };
  Partition refused;
  refused.apply(decision("reject", "hook"));
  EXPECT_TRUE(refused.has("tool.call", R"("authz":"refused")"));
  for (const auto& [what, by] : {std::pair("reject", "user_reject"), std::pair("accept", "config")}) {
    Partition other;
    other.apply(decision(what, by));
    EXPECT_EQ(other.published("tool.call").size(), 0U) << what << by;
  }
}

TEST(Meaning, TheVersionOfAPromptIsTheSpecs) {
  Partition one;
  one.apply(spans({{2, 1, "chat",
                    text("langfuse.observation.type", "generation") +
                        R"(,{"key":"langfuse.observation.prompt.version","value":{"intValue":"12"}})",
                    ""}}));
  EXPECT_TRUE(one.has("step", R"("spec_version":"12")"));
}

TEST(Meaning, AnEvaluationOfOpenTelemetrys) {
  Partition one;
  one.apply(log("gen_ai.evaluation.result",
                text("gen_ai.evaluation.name", "Relevance") +
                    R"(,{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":0.25}})"));
  EXPECT_TRUE(one.has("eval.result", R"("suite":"Relevance","score":0.25)"));
}

// The span round two calls says their sum: whichever record comes first, the tokens are the same.
TEST(Meaning, ASpanRoundCallsCountsOnceWithThemInEveryOrder) {
  const auto step = [](const std::string& span, const std::string& parent, int tokens) {
    return R"({"type":"step","time":"2026-01-05T00:00:01Z","correlation_id":"t","agent":"a","span_id":")" + span +
           R"(","parent_span_id":")" + parent + R"(","tokens_in":)" + std::to_string(tokens) + "}";
  };
  std::vector<std::string> records = {step("a", "o", 10), step("b", "o", 20), step("o", "root", 30)};
  std::sort(records.begin(), records.end());
  do {
    Partition one;
    for (const std::string& record : records) one.apply(record);
    EXPECT_EQ(one.totals().tokens_in, 30) << records[0];
  } while (std::next_permutation(records.begin(), records.end()));
}

TEST(Meaning, AnEndSaysWhatTheCallsOfItsTaskAddUpTo) {
  const auto call = [](int number, int in, const std::string& more) {
    return Sketch{number, 1, "chat",
                  text("gen_ai.operation.name", "chat") +
                      R"(,{"key":"gen_ai.usage.input_tokens","value":{"intValue":")" + std::to_string(in) + R"("}})" +
                      more,
                  ""};
  };
  Partition one;
  one.apply(spans({call(2, 100, "," + text("session.id", "s-1"))}))
      .apply(spans({call(3, 20, R"(,{"key":"tocsin.cost.usd","value":{"doubleValue":0.5}})")}))
      .apply(spans({root()}));
  EXPECT_TRUE(one.has("task.finished", R"("session_id":"s-1")"));
  EXPECT_TRUE(one.has("task.finished", R"("tokens_in":120,"cost_usd":0.5)"));
  EXPECT_EQ(one.totals().tokens_in, 120) << "and they are not counted again";
}

TEST(Meaning, APriceSaysTheTierAndWhatACostIsMadeOf) {
  Partition one("prices: [{model: m, input: 1, cached_input: 0.5, output: 4}]\n");
  const auto call = [](const std::string& more) {
    return spans({{2, 1, "chat",
                   text("gen_ai.operation.name", "chat") + "," + text("gen_ai.request.model", "m") +
                       R"(,{"key":"gen_ai.usage.input_tokens","value":{"intValue":"3000"}})" +
                       R"(,{"key":"gen_ai.usage.cache_read.input_tokens","value":{"intValue":"1000"}})" +
                       R"(,{"key":"gen_ai.usage.output_tokens","value":{"intValue":"500"}})" + more,
                   ""}});
  };
  one.apply(call(""));
  EXPECT_TRUE(one.has("step", R"("cost_usd":0.0045,"cost_input_usd":0.002,"cost_cached_usd":0.0005,)"
                              R"("cost_output_usd":0.002,)"));
  EXPECT_TRUE(one.has("step", R"("cost_source":"prices")"));
  EXPECT_TRUE(one.has("step", R"("model_tier":"standard")"));
  Partition said("prices: [{model: m, input: 1, cached_input: 0.5, output: 4}]\n");
  said.apply(call(R"(,{"key":"tocsin.cost.usd","value":{"doubleValue":0.009}})"));
  EXPECT_TRUE(said.has("step", R"("cost_usd":0.009,"cost_input_usd":0.004,"cost_cached_usd":0.001,)"));
  EXPECT_FALSE(said.has("step", "cost_source"));
}

}  // namespace meaning_test
}  // namespace tocsin
