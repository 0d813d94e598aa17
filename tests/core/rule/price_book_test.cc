#include "core/rule/price_book.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace price_book_test {

PriceBook book_of(const std::string& text, Diagnostics& diagnostics) {
  PriceBook book;
  const auto root = parse_yaml({"prices.yaml", text}, diagnostics);
  if (root && root->find("prices") != nullptr) book.read(*root->find("prices"), "prices.yaml", diagnostics);
  return book;
}
PriceBook good_book(const std::string& text) {
  Diagnostics diagnostics;
  PriceBook book = book_of(text, diagnostics);
  for (const Diagnostic& one : diagnostics.all()) ADD_FAILURE() << to_text(one);
  return book;
}
std::int64_t input_of(const PriceBook& book, std::string_view model, const char* day = "2026-06-01") {
  const Price* const price = book.find(model, *parse_rfc3339(std::string(day) + "T12:00:00Z"));
  return price != nullptr ? price->input : -1;
}

TEST(PriceBook, TheLongestNameCounts) {
  const PriceBook book = good_book(R"(prices:
  - {model: "gpt-4o*", input: 2.5, output: 10}
  - {model: ["gpt-4o-mini*", "small"], input: 0.15, cached_input: 0.075, output: 0.6}
  - {model: "gpt-4o-mini-audio", input: 9, output: 9}
)");
  EXPECT_EQ(input_of(book, "gpt-4o"), 2'500'000);
  EXPECT_EQ(input_of(book, "gpt-4o-2024-08-06"), 2'500'000);
  EXPECT_EQ(input_of(book, "gpt-4o-mini-2024-07-18"), 150'000);
  EXPECT_EQ(input_of(book, "gpt-4o-mini-audio"), 9'000'000);
  EXPECT_EQ(input_of(book, "openai/gpt-4o-mini"), 150'000);
  EXPECT_EQ(input_of(book, "small-2026-01-31"), 150'000);
  EXPECT_EQ(input_of(book, "small-20260131"), 150'000);
  EXPECT_EQ(input_of(book, "small@20260131"), 150'000);
  for (const char* other : {"gpt-4", "smaller", "", "small-2026-01", "/", "x/y/"})
    EXPECT_EQ(input_of(book, other), -1);
}

TEST(PriceBook, APriceHoldsFromItsDayOn) {
  const PriceBook book = good_book(R"(prices:
  - {model: m, input: 2, output: 2, from: "2026-05-01"}
  - {model: m, input: 1, output: 1}
  - {model: late, input: 1, output: 1, from: "2026-05-01"}
)");
  EXPECT_EQ(input_of(book, "m", "2026-04-30"), 1'000'000);
  EXPECT_EQ(input_of(book, "m", "2026-05-01"), 2'000'000);
  EXPECT_EQ(input_of(book, "late", "2026-04-30"), -1);
}

TEST(PriceBook, ACallCostsWhatEachKindOfTokenCosts) {
  const Price price{3'000'000, 300'000, 3'750'000, 15'000'000, {}, {}};
  const auto total = [&](const TokenCounts& tokens) { return cost_of(tokens, price)->total; };
  EXPECT_EQ(total({1'000, 0, 0, 0}), 3'000);
  EXPECT_EQ(total({1'000, 800, 100, 10}), 100 * 3 + 240 + 375 + 150);
  EXPECT_EQ(cost_of({1, 0, 0, 0}, {500'000, 0, 0, 0, {}, {}})->total, 1) << "half a micro-dollar is rounded up";
  EXPECT_EQ(total({10, 20, 0, 0}), 36) << "more cached than there were: the input does not hold them";
  EXPECT_FALSE(cost_of({-1, 0, 0, 0}, price));
  EXPECT_FALSE(cost_of({2'000'000'000, 0, 0, 0}, price));
}

TEST(PriceBook, WhatACallCostsIsMadeOfThreeParts) {
  const Price price{3'000'000, 300'000, 3'750'000, 15'000'000, {}, {}};
  const CallCost cost = *cost_of({1'000, 800, 100, 10}, price);
  EXPECT_EQ(cost.cached, 240);
  EXPECT_EQ(cost.output, 150);
  EXPECT_EQ(cost.input(), 100 * 3 + 375);
  const CallCost said = cost.of(2 * cost.total);
  EXPECT_EQ(said.cached, 480);
  EXPECT_EQ(said.output, 300);
  EXPECT_EQ(said.total, 2 * cost.total);
  EXPECT_EQ(CallCost{}.of(7).input(), 7) << "free by the table, and not by who sent the bill";
  for (std::int64_t other = 0; other < 100; ++other) {
    const CallCost small = CallCost{3, 1, 2}.of(other);
    EXPECT_GE(small.input(), 0) << other;
    EXPECT_EQ(small.input() + small.cached + small.output, other);
  }
}

TEST(PriceBook, AModelHasATier) {
  const PriceBook book = good_book(R"(prices:
  - {model: small, input: 0.1, output: 0.4}
  - {model: middle, input: 1, output: 8}
  - {model: large, input: 15, output: 75}
  - {model: named, input: 1, output: 1, tier: reasoning}
)");
  const auto tier = [&](const char* model) { return book.find(model, EventTime{})->tier; };
  EXPECT_EQ(tier("small"), "economy");
  EXPECT_EQ(tier("middle"), "standard");
  EXPECT_EQ(tier("large"), "premium");
  EXPECT_EQ(tier("named"), "reasoning");
}

TEST(PriceBook, EveryMistakeIsSaid) {
  Diagnostics diagnostics;
  book_of(R"(prices:
  - {model: m, input: 1}
  - {model: "a*b", input: 1, output: 1}
  - {model: m2, input: -1, output: 1}
  - {model: m3, input: 1, output: 1, from: "yesterday"}
  - {model: m4, input: 1, output: 1, cached: 2}
  - {model: m5, input: 1, output: 1}
  - {model: m5, input: 2, output: 1}
)",
          diagnostics);
  std::string all;
  for (const Diagnostic& one : diagnostics.sorted()) all += to_text(one) + "\n";
  for (const char* place :
       {"prices.yaml:2:", "prices.yaml:3:", "prices.yaml:4:", "prices.yaml:5:", "prices.yaml:6:", "prices.yaml:8:"}) {
    EXPECT_NE(all.find(place), std::string::npos) << place << "\n" << all;
  }
  EXPECT_EQ(all.find("prices.yaml:7:"), std::string::npos) << all;
}

TEST(PriceBook, ThoseThatShipAreReadAndHoldKnownModels) {
  const PriceBook book = good_book(test::file_text("rules/prices.yaml"));
  EXPECT_GT(book.size(), 400U);
  for (const char* model : {"gpt-4o-mini-2024-07-18", "gpt-4o", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929",
                            "gemini-2.5-pro", "mistral-large-latest", "deepseek-chat", "grok-4"}) {
    EXPECT_GT(input_of(book, model), 0) << model;
  }
  EXPECT_EQ(input_of(book, "gpt-4o-mini"), 150'000);
}

}  // namespace price_book_test
}  // namespace tocsin
