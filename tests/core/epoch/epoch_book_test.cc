#include "core/epoch/epoch_book.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace epoch_book_test {

using namespace std::chrono_literals;
using test::at;

std::string rule_text(const std::string& name) {
  return "groups: [{name: g, rules: [{alert: " + name +
         ", from: step, value: count(), window: 5m, when: value > 3, group_by: [env, agent], max_series: 10}]}]\n";
}

// What a process writes to propose the rules of one alert's name.
struct Writer {
  std::string name;

  RuleProposal propose(EpochBook& book, std::int64_t number, const std::string& alert) const {
    const std::vector<NamedText> files{
        {"rules.yaml", rule_text(alert)},
        {"patterns.yaml",
         "sanitize: {version: 1, patterns: [{id: word, tier: count, keywords: [quince], regex: quince, "
         "description: w, examples: [quince], near_misses: [pear]}]}\n"}};
    Diagnostics diagnostics;
    const auto loaded = load_rules_and_patterns(files, diagnostics);
    for (const Diagnostic& diagnostic : diagnostics.all()) ADD_FAILURE() << to_text(diagnostic);
    RuleProposal proposal;
    proposal.number = number;
    proposal.hash = loaded.rules->hash;
    proposal.by = name;
    proposal.at = test::event_at(0s);
    for (const NamedText& file : files) {
      proposal.files.push_back({file.file, hash_of_file(file.text)});
      book.apply(std::string(control_file_prefix) + hash_of_file(file.text), file.text);
    }
    book.apply(key_of(proposal, name), to_json(proposal));
    return proposal;
  }
  void decide(EpochBook& book, std::int64_t number, Duration from) const {
    RuleDecision decision;
    decision.number = number;
    decision.from = at(from);
    decision.by = name;
    book.apply(key_of(decision, name), to_json(decision));
  }
  void drop(EpochBook& book, std::int64_t number) const {
    RuleDecision decision;
    decision.number = number;
    decision.dropped = "no answer";
    book.apply(key_of(decision, name), to_json(decision));
  }
};

std::string alert_at(const EpochBook& book, Duration grid) {
  return book.epochs()->at(at(grid)).rules->rules.front().name;
}

const Writer ann{"ann"}, ben{"ben"};

TEST(EpochBook, TheFirstProposalIsInForceFromTheBeginningOn) {
  EpochBook book;
  EXPECT_EQ(book.epochs(), nullptr);
  EXPECT_EQ(book.next_number(), 0);
  ann.propose(book, 0, "A");
  ben.propose(book, 0, "B");
  EXPECT_EQ(alert_at(book, -24h), "A") << "the second came too late";
  EXPECT_FALSE(book.open());
  EXPECT_EQ(book.next_number(), 1);
}

TEST(EpochBook, RulesChangeAtTheGridTimeThatWasDecided) {
  EpochBook book;
  ann.propose(book, 0, "A");
  const RuleProposal proposal = ann.propose(book, 1, "B");
  EXPECT_EQ(book.epochs()->open(), 1);
  EXPECT_EQ(book.epochs()->settled(), 0);
  EXPECT_EQ(book.next_number(), std::nullopt);
  ben.propose(book, 1, "C");
  ann.decide(book, 1, 60s);
  ben.decide(book, 1, 90s);
  EXPECT_EQ(book.epochs()->settled(), 1);
  EXPECT_EQ(alert_at(book, 60s), "A") << "the slice that ends there was counted before";
  EXPECT_EQ(alert_at(book, 70s), "B");
  EXPECT_EQ(alert_at(book, 100h), "B") << "neither the late proposal nor the late decision counts";
  EXPECT_TRUE(book.has_seen(proposal.hash));
}

TEST(EpochBook, ADroppedProposalChangesNothingAndMakesRoom) {
  EpochBook book;
  ann.propose(book, 0, "A");
  ann.propose(book, 1, "B");
  ben.drop(book, 1);
  ann.decide(book, 1, 60s);
  EXPECT_EQ(alert_at(book, 100s), "A");
  EXPECT_EQ(book.last_dropped(), "no answer");
  EXPECT_EQ(book.next_number(), 2);
  ann.propose(book, 2, "B");
  ann.decide(book, 2, 120s);
  EXPECT_EQ(alert_at(book, 130s), "B");
}

TEST(EpochBook, WhatItCanNotReadIsNotPromisedAndSaidOnceInForce) {
  EpochBook book;
  ann.propose(book, 0, "A");
  RuleProposal newer;
  newer.number = 1;
  newer.hash = "of another version";
  newer.files = {{"rules.yaml", "a text that nobody wrote"}};
  book.apply(key_of(newer, "ann"), to_json(newer));
  EXPECT_EQ(book.epochs()->open(), std::nullopt) << "so no partition of this process promises";
  EXPECT_TRUE(book.unreadable().empty());
  ann.decide(book, 1, 60s);
  EXPECT_FALSE(book.unreadable().empty());
}

TEST(EpochBook, RecordsOfOthersAreLeftAlone) {
  EpochBook book;
  EXPECT_FALSE(book.apply("propose/0/x", "no json"));
  EXPECT_FALSE(book.apply("propose/0/x", R"({"kind":"propose","version":2,"number":0,"hash":"h","files":[]})"));
  EXPECT_FALSE(book.apply("file/1/not-its-hash", "text"));
  EXPECT_FALSE(book.apply("something", "else"));
  EXPECT_EQ(book.epochs(), nullptr);
}

TEST(EpochBook, AnAggregateThatCameBackIsCountedFromThenOn) {
  std::vector<RuleEpoch> list;
  const auto of = [&](const char* name) { return test::rules_from(rule_text(name)); };
  const auto other = test::rules_from(
      "groups: [{name: g, rules: [{alert: X, from: tool.call, value: count(), window: 5m, when: value > 3, "
      "group_by: [env, agent], max_series: 10}]}]\n");
  list.push_back({0, beginning_of_time, of("A"), nullptr});
  list.push_back({1, at(1h), of("B"), nullptr});  // another rule over the same aggregate
  list.push_back({2, at(2h), other, nullptr});
  list.push_back({3, at(3h), of("A"), nullptr});
  const RuleEpochs epochs(list, 3, std::nullopt);
  const std::string name = list[0].rules->aggregates.front().canonical();
  EXPECT_EQ(epochs.counted_since(name, 1), beginning_of_time);
  EXPECT_EQ(epochs.counted_since(name, 2), std::nullopt);
  EXPECT_EQ(epochs.counted_since(name, 3), at(3h));
}

}  // namespace epoch_book_test
}  // namespace tocsin
