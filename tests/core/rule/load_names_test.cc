// Names of a deployment's own: they count before those that ship, and mistakes are told where they stand.

#include "core/rule/load_names.h"

#include <gtest/gtest.h>

#include "core/event/record_decoder.h"
#include "core/rule/rule_set.h"
#include "core/test_support.h"

namespace tocsin {
namespace load_names_test {

const std::string span = R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010107",
    "spanId":"0101010101010101","name":"chat","startTimeUnixNano":"1767571200000000000","endTimeUnixNano":"1767571201000000000",
    "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
                  {"key":"gen_ai.agent.name","value":{"stringValue":"theirs"}},
                  {"key":"acme.bot","value":{"stringValue":"ours"}},
                  {"key":"acme.cost","value":{"doubleValue":0.25}}]}]}]}]})";

std::shared_ptr<const RuleSet> rules_with(const std::string& names, Diagnostics& diagnostics) {
  const std::vector<NamedText> files{{"names.yaml", names}};
  return load_rules(files, diagnostics);
}

std::string agent_and_cost(const std::shared_ptr<const RuleSet>& rules) {
  RecordDecoder decoder;
  decoder.know(rules->names);
  if (decoder.begin(span, {})) return "refused";
  while (const AgentEvent* const event = decoder.next()) {
    if (event->fields.type != EventType::step) continue;
    return std::string(event->fields.get(StringField::agent)) + " " +
           std::to_string(event->fields.get_or(NumberField::cost, -1));
  }
  return "no step";
}

TEST(Names, OnesOwnCountBeforeAllOthers) {
  Diagnostics diagnostics;
  const auto rules = rules_with("names: {agent: [acme.bot], cost_usd: [acme.cost]}\n", diagnostics);
  ASSERT_TRUE(rules);
  EXPECT_EQ(agent_and_cost(rules), "ours 250000");
  const auto none = rules_with("specs: []\n", diagnostics);
  ASSERT_TRUE(none);
  EXPECT_EQ(agent_and_cost(none), "theirs -1");
}

TEST(Names, AMistakeIsToldWhereItStands) {
  Diagnostics diagnostics;
  EXPECT_FALSE(rules_with("names:\n  agent: [a, a]\n  nobody: [b]\n  tool: ['']\n", diagnostics));
  EXPECT_EQ(diagnostics.error_count(), 3U);
}

}  // namespace load_names_test
}  // namespace tocsin
