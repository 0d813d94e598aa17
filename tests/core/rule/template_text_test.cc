#include "core/rule/template_text.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace template_text_test {

ConditionScope scope_of(Unit unit) {
  ConditionScope scope;
  scope.values = {{"value", unit, false, true, false}};
  return scope;
}

std::string rendered(std::string_view text, double value, Unit unit = Unit::plain, double baseline = 2) {
  TemplateText compiled;
  ExpressionError error;
  if (!TemplateText::compile(text, scope_of(unit), {"agent", "env"}, compiled, error)) {
    return std::to_string(error.offset) + ": " + error.message;
  }
  return compiled.render(
      [](std::string_view name) -> std::string_view { return name == "agent" ? "support" : ""; },
      [&](const Variable& variable) { return variable.kind == Variable::Kind::value ? value : baseline; });
}

TEST(TemplateText, PutsLabelsAndNumbersIntoTheText) {
  EXPECT_EQ(rendered("{{agent}} spends {{value|usd}}/h, {{value / baseline|x}} its average", 5.678),
            "support spends $5.68/h, 2.8x its average");
  EXPECT_EQ(rendered("{{ $labels.agent }}[{{env}}]", 1), "support[]");
  EXPECT_EQ(rendered("plain", 1), "plain");
  EXPECT_EQ(rendered("", 1), "");
}

TEST(TemplateText, FiltersAndUnitsGiveTheForm) {
  EXPECT_EQ(rendered("{{value|percent}}", 0.1234), "12.3 %");
  EXPECT_EQ(rendered("{{value|duration}}", 90), "1m30s");
  EXPECT_EQ(rendered("{{value}}", 1'234.567), "1235");
  EXPECT_EQ(rendered("{{value}}", 3, Unit::money), "$3.00");
  EXPECT_EQ(rendered("{{value}}", 3'600, Unit::duration), "1h");
}

TEST(TemplateText, AnUnknownNumberReadsUnknown) {
  EXPECT_EQ(rendered("{{value|usd}} {{value / baseline|x}}", unknown_number), "unknown unknown");
  EXPECT_EQ(rendered("{{value / baseline|x}}", 1, Unit::plain, 0), "unknown");
}

TEST(TemplateText, IsCutAt1024BytesBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 700; ++i) text += "\xc3\xbc";
  EXPECT_EQ(rendered(text, 1).size(), 1'024u);
  EXPECT_EQ(rendered("a" + text, 1).size(), 1'023u);
}

TEST(TemplateText, MistakesAreReportedWhereTheyStand) {
  EXPECT_TRUE(rendered("a {{value", 1).starts_with("2: '{{' has no '}}'"));
  EXPECT_TRUE(rendered("{{value|eur}}", 1).starts_with("0: 'eur' is no filter"));
  EXPECT_NE(rendered("{{agnt}}", 1).find("did you mean 'agent'?"), std::string::npos);
  EXPECT_TRUE(rendered("x{{value > }}", 1).starts_with("1")) << rendered("x{{value > }}", 1);
  EXPECT_NE(rendered("{{value > 1}}", 1).find("not a condition"), std::string::npos);
}

TEST(TemplateText, WhatALabelHoldsIsTextAndNoTemplate) {
  TemplateText compiled;
  ExpressionError error;
  ASSERT_TRUE(TemplateText::compile("{{agent}}", scope_of(Unit::plain), {"agent"}, compiled, error));
  EXPECT_EQ(compiled.render([](std::string_view) -> std::string_view { return "{{value}}"; },
                            [](const Variable&) { return 1.0; }),
            "{{value}}");
}

}  // namespace template_text_test
}  // namespace tocsin
