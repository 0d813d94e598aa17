#include "core/rule/predicate.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace predicate_test {

std::optional<Predicate> compiled(std::string_view text, bool with_finding = false, std::string* message = nullptr) {
  ExpressionError error;
  const auto expression = parse_expression(text, error);
  Predicate predicate;
  const bool fits = expression && Predicate::compile(*expression, with_finding, predicate, error);
  if (message != nullptr) *message = std::to_string(error.offset) + ": " + error.message;
  return fits ? std::optional(predicate) : std::nullopt;
}

bool holds(std::string_view text, const EventFields& event, const FindingFields* finding = nullptr) {
  const auto predicate = compiled(text, finding != nullptr);
  EXPECT_TRUE(predicate) << text;
  return predicate && predicate->holds(event, finding);
}

EventFields call() {
  EventFields event;
  event.type = EventType::tool_call;
  event.set(StringField::agent, "support");
  event.set(NumberField::latency, 2'500'000);
  event.set(NumberField::cost, 1'500'000);
  event.set(NumberField::tokens_in, 10);
  event.set(EnumField::authz, static_cast<std::uint8_t>(Authz::refused));
  return event;
}

TEST(Predicate, ComparesTextsWordsAndNumbers) {
  const EventFields event = call();
  EXPECT_TRUE(holds(R"(agent == "support")", event));
  EXPECT_FALSE(holds(R"(agent != "support")", event));
  EXPECT_TRUE(holds(R"(agent in ["billing", "support"])", event));
  EXPECT_TRUE(holds(R"(authz in ["refused", "refused_with_reason"])", event));
  EXPECT_FALSE(holds(R"(authz == "passed")", event));
  EXPECT_TRUE(holds("tokens_in >= 10 && tokens_in <= 10 && tokens_in == 10 && !(tokens_in < 10)", event));
}

TEST(Predicate, LooksIntoTexts) {
  EventFields event = call();
  event.set(StringField::tool, "db.query_orders");
  for (const char* text : {R"(starts_with(tool, "db."))", R"(tool.startsWith("db."))", R"(ends_with(tool, "orders"))",
                           R"(tool.endsWith("orders"))", R"(contains(tool, "query"))", R"(tool.contains("query"))",
                           R"(matches(tool, "^db\\.[a-z_]+$"))", R"(tool.matches("query"))",
                           R"(!starts_with(tool, "x") && has(tool))", R"(tool starts_with "db." and has(tool))",
                           R"(tool matches "^db" && tool contains "query" && tool ends_with "orders")",
                           R"(tool not in ["sh", "sql"] and tool not contains "shell")"}) {
    EXPECT_TRUE(holds(text, event)) << text;
  }
  EXPECT_FALSE(holds(R"(starts_with(tool, "query"))", event));
  EXPECT_FALSE(holds(R"(matches(tool, "^query"))", event));
  EXPECT_FALSE(holds(R"(!contains(tool, "x"))", call())) << "an absent field is unknown";
  std::string message;
  EXPECT_FALSE(compiled(R"(matches(tool, "("))", false, &message));
  EXPECT_EQ(message, "14: no regular expression of RE2: missing ): (");
  EXPECT_FALSE(compiled(R"(starts_with(tol, "x"))", false, &message));
  EXPECT_EQ(message, "12: starts_with() takes the name of a text field (did you mean 'tool'?)");
  EXPECT_FALSE(compiled(R"(begins(tool, "x"))", false, &message));
  EXPECT_FALSE(compiled(R"(starts_with(tool))"));
  EXPECT_FALSE(compiled(R"(starts_with(latency, "1"))"));
  const auto a = compiled(R"(contains(tool, "a"))");
  const auto b = compiled(R"(contains(tool, "b"))");
  const auto c = compiled(R"(starts_with(tool, "a"))");
  EXPECT_NE(a->canonical(), b->canonical());
  EXPECT_NE(a->canonical(), c->canonical()) << "rules that ask other things share no slices";
}

TEST(Predicate, NumbersHaveTheUnitOfTheirField) {
  const EventFields event = call();
  EXPECT_TRUE(holds("latency > 2s && latency < 2s600ms && latency == 2s500ms", event));
  EXPECT_TRUE(holds("cost > 1.49 && cost <= 1.5", event));
  EXPECT_FALSE(compiled("latency > 2")) << "2 what?";
  EXPECT_FALSE(compiled("cost > 2s"));
  EXPECT_FALSE(compiled("tokens_in > 1h"));
  EXPECT_FALSE(compiled("started_at > 5"));
}

TEST(Predicate, AnAbsentFieldMakesEveryComparisonUnknownAndUnknownSelectsNothing) {
  EventFields nothing;
  for (const char* text : {R"(tool == "x")", R"(tool != "x")", R"(!(tool == "x"))", "latency > 1s", "latency <= 1s",
                           "!(latency > 1s)", R"(outcome == "errored")", R"(outcome != "errored")"}) {
    EXPECT_FALSE(holds(text, nothing)) << text;
  }
  EXPECT_FALSE(holds("has(tool)", nothing));
  EXPECT_TRUE(holds("!has(tool)", nothing));
  EXPECT_FALSE(holds("has(outcome) or has(latency)", nothing));
}

TEST(Predicate, FollowsKleenesLogicForAllNineCombinations) {
  // yes: has(agent); no: has(tool); unknown: tool == "x".
  EventFields event;
  event.set(StringField::agent, "a");
  const char* words[] = {"has(tool)", "has(agent)", "tool == \"x\""};  // no, yes, unknown
  const auto truth = [&](const std::string& text) {
    if (holds(text, event)) return 1;
    return holds("!(" + text + ")", event) ? 0 : 2;
  };
  const int both[3][3] = {{0, 0, 0}, {0, 1, 2}, {0, 2, 2}};
  const int either[3][3] = {{0, 1, 2}, {1, 1, 1}, {2, 1, 2}};
  for (int a = 0; a < 3; ++a) {
    EXPECT_EQ(truth(words[a]), a);
    for (int b = 0; b < 3; ++b) {
      EXPECT_EQ(truth(std::string(words[a]) + " && " + words[b]), both[a][b]) << words[a] << " && " << words[b];
      EXPECT_EQ(truth(std::string(words[a]) + " || " + words[b]), either[a][b]) << words[a] << " || " << words[b];
    }
  }
}

TEST(Predicate, FindingsAreAskedForInEventRulesOnly) {
  const EventFields event = call();
  const FindingFields finding{"aws.access_key", "halt"};
  EXPECT_TRUE(holds(R"(has(secret.pattern) && secret.tier == "halt")", event, &finding));
  EXPECT_TRUE(holds(R"(secret.pattern in ["aws.access_key"])", event, &finding));
  EXPECT_FALSE(holds(R"(secret.pattern == "github.token")", event, &finding));
  std::string message;
  EXPECT_FALSE(compiled("has(secret.pattern)", false, &message));
  EXPECT_NE(message.find("mode: event"), std::string::npos) << message;
  EXPECT_TRUE(compiled("has(secret.pattern)", true)->reads_finding());
}

TEST(Predicate, AFlagIsAConditionOfItsOwn) {
  EventFields review;
  EXPECT_FALSE(holds("accepted", review));
  review.set(NumberField::accepted, 1);
  EXPECT_TRUE(holds("accepted", review));
  EXPECT_FALSE(holds("accepted == false", review));
  EXPECT_TRUE(holds("true", review));
}

TEST(Predicate, MistakesSayWhatToWriteInstead) {
  const std::pair<const char*, const char*> cases[] = {
      {"agnt == \"a\"", "did you mean 'agent'?"},
      {"outcome == \"erored\"", "did you mean 'errored'?"},
      {"agent", "has(agent)"},
      {"agent > \"a\"", "use ==, != or in"},
      {"agent == 5", "in quotes"},
      {"5 == tokens_in", "left side"},
      {"tokens_in in [1, 2]", "compare numbers"},
      {"has(agent, tool)", "one field"},
      {"count() > 5", "left side"},
      {"low(agent)", "has(field)"},
      {"5", "a condition is needed"},
      {"agent == tool", "in quotes"},
  };
  for (const auto& [text, hint] : cases) {
    std::string message;
    EXPECT_FALSE(compiled(text, false, &message)) << text;
    EXPECT_NE(message.find(hint), std::string::npos) << text << " gave " << message;
  }
}

TEST(Predicate, ConjunctsSayWhichPartsDependOnTheGroupAlone) {
  const auto predicate = compiled(R"(agent == "a" && (cost > 1 && !(model == "m")))");
  const auto parts = predicate->conjuncts();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_TRUE(parts[0].reads_only_strings());
  EXPECT_EQ(parts[0].strings_read(), 1u << static_cast<unsigned>(StringField::agent));
  EXPECT_FALSE(parts[1].reads_only_strings());
  EXPECT_TRUE(parts[2].reads_only_strings());
  EventFields event = call();
  event.set(StringField::agent, "a");
  event.set(StringField::model, "n");
  EXPECT_TRUE(predicate->holds(event));
  for (const Predicate& part : parts) EXPECT_TRUE(part.holds(event));
}

TEST(Predicate, WhatAPlainTestTakesItAnswersAlike) {
  const char* const texts[] = {"tokens_in > 2",
                               "tokens_in >= 2 && has(tool)",
                               "tokens_in < 2 && has(model) && has(tool)",
                               "tokens_in <= 2 && latency > 0ms",
                               "tokens_in == 2 && authz == \"refused\"",
                               "tokens_in != 2 && authz != \"refused\"",
                               "authz in [\"refused\", \"passed\"] && outcome == \"errored\"",
                               "has(authz) && has(latency) && tool == \"search\"",
                               "has(outcome) && !(tokens_in > 1)"};
  std::size_t taken = 0, left = 0, held = 0;
  for (const char* text : texts) {
    const auto predicate = compiled(text);
    ASSERT_TRUE(predicate) << text;
    PlainTest plain;
    std::vector<Predicate> others;
    for (const Predicate& part : predicate->conjuncts()) {
      if (part.join(plain))
        ++taken;
      else
        others.push_back(part);
    }
    left += others.size();
    test::Random random(1);
    for (int i = 0; i < 2'000; ++i) {
      EventFields event;
      if (random.below(2) == 0) event.set(StringField::tool, random.below(2) == 0 ? "search" : "mail");
      if (random.below(2) == 0) event.set(StringField::model, "m");
      if (random.below(4) != 0) event.set(NumberField::tokens_in, random.below(5));
      if (random.below(4) != 0) event.set(NumberField::latency, random.below(3));
      event.set(EnumField::authz, static_cast<std::uint8_t>(random.below(4)));
      event.set(EnumField::outcome, static_cast<std::uint8_t>(random.below(3)));
      bool holds = plain.holds(event);
      for (const Predicate& other : others) holds = holds && other.holds(event);
      ASSERT_EQ(holds, predicate->holds(event)) << text << ", event " << i;
      held += holds ? 1 : 0;
    }
  }
  EXPECT_GE(taken, 14u);
  EXPECT_GE(left, 4u) << "a second number, a word beside another, a text, a not";
  EXPECT_GT(held, 500u);
}

TEST(Predicate, TheSameMeaningInOtherWordsIsOneAggregate) {
  EXPECT_EQ(compiled(R"(agent in ["b", "a"])")->canonical(), compiled(R"( agent in ['a','b'] )")->canonical());
  EXPECT_EQ(compiled("cost > 1")->canonical(), compiled("cost > 1.0")->canonical());
  EXPECT_NE(compiled(R"(agent == "a")")->canonical(), compiled(R"(agent != "a")")->canonical());
  EXPECT_NE(compiled(R"(agent in ["a,b"])")->canonical(), compiled(R"(agent in ["a", "b"])")->canonical());
  EXPECT_NE(compiled("cost > 1")->canonical(), compiled("cost >= 1")->canonical());
}

TEST(Predicate, AnEmptyOneHoldsForEveryEvent) {
  EXPECT_TRUE(Predicate().always());
  EXPECT_TRUE(Predicate().holds(EventFields{}));
}

}  // namespace predicate_test
}  // namespace tocsin
