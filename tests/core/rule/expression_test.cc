#include "core/rule/expression.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace expression_test {

using Kind = Expression::Kind;

// The tree in parentheses: "((a > 1) && b)".
std::string spelled(const Expression& e) {
  switch (e.kind) {
    case Kind::number:
      return std::to_string(e.number).substr(0, std::to_string(e.number).find('.') + 3);
    case Kind::duration:
      return std::to_string(static_cast<long>(e.number)) + "s";
    case Kind::text:
      return "\"" + e.text + "\"";
    case Kind::boolean:
      return e.number != 0 ? "true" : "false";
    case Kind::name:
      return e.text;
    case Kind::not_:
      return "!" + spelled(e.children[0]);
    case Kind::negate:
      return "-" + spelled(e.children[0]);
    case Kind::binary:
      return "(" + spelled(e.children[0]) + " " + std::string(symbol_of(e.op)) + " " + spelled(e.children[1]) + ")";
    case Kind::named:
      return e.text + ": " + spelled(e.children[0]);
    case Kind::call:
    case Kind::list:
      break;
  }
  std::string list;
  for (const Expression& child : e.children) list += (list.empty() ? "" : ", ") + spelled(child);
  return e.kind == Kind::list ? "[" + list + "]" : e.text + "(" + list + ")";
}

std::string parsed(std::string_view text) {
  ExpressionError error;
  const auto expression = parse_expression(text, error);
  return expression ? spelled(*expression) : std::to_string(error.offset) + ": " + error.message;
}

TEST(Expression, OperatorsBindAsInCel) {
  EXPECT_EQ(parsed("a || b && c"), "(a || (b && c))");
  EXPECT_EQ(parsed("a or b and not c"), "(a || (b && !c))");
  EXPECT_EQ(parsed("!a && b"), "(!a && b)");
  EXPECT_EQ(parsed("a - b - c"), "((a - b) - c)");
  EXPECT_EQ(parsed("a + b * c > d"), "((a + (b * c)) > d)");
  EXPECT_EQ(parsed("a / b / c"), "((a / b) / c)");
  EXPECT_EQ(parsed("-a * b"), "(-a * b)");
  EXPECT_EQ(parsed("(a + b) * c"), "((a + b) * c)");
  EXPECT_EQ(parsed("a starts_with \"x\" && b not in [\"y\"] || not c contains \"z\""),
            "((starts_with(a, \"x\") && !(b in [\"y\"])) || !contains(c, \"z\"))");
  EXPECT_EQ(parsed("a not matches \"x\""), "!matches(a, \"x\")");
  EXPECT_EQ(parsed("a not b"), "6: an operator is missing before this");
  EXPECT_EQ(parsed("a not in b"), "9: 'not in' needs a list such as [\"errored\", \"timed_out\"]");
  EXPECT_EQ(parsed("value > 2 * baseline && hits >= 4"), "((value > (2.00 * baseline)) && (hits >= 4.00))");
}

TEST(Expression, ReadsNumbersDurationsTextsNamesAndLists) {
  EXPECT_EQ(parsed("5.25"), "5.25");
  EXPECT_EQ(parsed("1h30m"), "5400s");
  EXPECT_EQ(parsed("2m"), "120s");
  EXPECT_EQ(parsed(R"("a\"b" == 'c')"), "(\"a\"b\" == \"c\")");
  EXPECT_EQ(parsed("spec.surface_rate.max"), "spec.surface_rate.max");
  EXPECT_EQ(parsed("outcome in [\"errored\", \"timed_out\"]"), "(outcome in [\"errored\", \"timed_out\"])");
  EXPECT_EQ(parsed("min(a, max(b, 1))"), "min(a, max(b, 1.00))");
  EXPECT_EQ(parsed("count()"), "count()");
  EXPECT_EQ(parsed("share(sum(cost), of: [env, agent])"), "share(sum(cost), of: [env, agent])");
  EXPECT_EQ(parsed("share(a, of: b)"), "13: a list of labels is needed here, such as [env]");
  EXPECT_EQ(parsed("a: b"), "1: ':' has no meaning here");
  EXPECT_EQ(parsed("accepted == true"), "(accepted == true)");
  EXPECT_EQ(parsed(" a\n\t> 1 "), "(a > 1.00)");
}

TEST(Expression, MistakesAreReportedWhereTheyStand) {
  const std::pair<const char*, std::uint32_t> cases[] = {
      {"", 0},        {"a >", 3},       {"a > > b", 4}, {"a = b", 2},  {"(a", 2},     {"a)", 1},
      {"a b", 2},     {"a && ", 5},     {"f(a", 3},     {"f(a b)", 4}, {"\"open", 0}, {"a in b", 5},
      {"a in [1", 7}, {"a ? b", 2},     {"3x", 0},      {"1h1h", 0},   {"a & b", 2},  {"a | b", 2},
      {"* a", 0},     {"a == == b", 5}, {"[1]", 0},     {"a.", 1},     {"\xff", 0},
  };
  for (const auto& [text, offset] : cases) {
    ExpressionError error;
    EXPECT_FALSE(parse_expression(text, error)) << text;
    EXPECT_EQ(error.offset, offset) << text << ": " << error.message;
    EXPECT_FALSE(error.message.empty()) << text;
  }
}

TEST(Expression, DepthAndLengthAreBounded) {
  ExpressionError error;
  EXPECT_TRUE(parse_expression(std::string(60, '(') + "a" + std::string(60, ')'), error));
  EXPECT_FALSE(parse_expression(std::string(70, '(') + "a" + std::string(70, ')'), error));
  EXPECT_FALSE(parse_expression(std::string(4'000, '('), error));
  EXPECT_FALSE(parse_expression(std::string(4'000, '!') + "a", error));
  EXPECT_FALSE(parse_expression(std::string(4'000, '-') + "a", error));
  std::string calls;
  for (int i = 0; i < 1'300; ++i) calls += "f(";
  EXPECT_FALSE(parse_expression(calls, error));
  EXPECT_FALSE(parse_expression("a" + std::string(4'096, ' '), error));
  std::string sum = "1";
  while (sum.size() < 4'090) sum += "+1";
  EXPECT_TRUE(parse_expression(sum, error)) << "long is not deep";
}

TEST(Expression, RandomTextNeverCrashes) {
  for (const std::uint64_t seed : test::seeds(10)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const std::string alphabet = "ab1.5m ()[],\"'<>=!&|+-*/in";
    for (int i = 0; i < 5'000; ++i) {
      std::string text;
      for (std::int64_t n = random.below(40); n > 0; --n) {
        text += alphabet[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(alphabet.size())))];
      }
      ExpressionError error;
      if (!parse_expression(text, error)) {
        ASSERT_LE(error.offset, text.size()) << text;
      }
    }
  }
}

}  // namespace expression_test
}  // namespace tocsin
