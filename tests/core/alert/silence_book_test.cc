#include "core/alert/silence_book.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace silence_book_test {

using namespace std::chrono_literals;
using test::event_at;

const Labels of_support{{"agent", "support"}, {"env", "prod"}, {"severity", "critical"}};

bool matches(const std::string& text) {
  const auto matcher = LabelMatcher::parse(text);
  EXPECT_TRUE(matcher) << matcher.error();
  return matcher && matcher.value().matches("CostSpike", of_support);
}

std::string refusal(const std::string& text) {
  const auto matcher = LabelMatcher::parse(text);
  return matcher ? "taken" : matcher.error();
}

Silence silence(std::vector<std::string> matchers, Duration from, Duration until) {
  const auto made =
      make_silence(matchers, event_at(from), event_at(until), "ann", "a provider's outage", event_at(from));
  EXPECT_TRUE(made) << made.error();
  return made.value();
}

void put(SilenceBook& book, const Silence& one) {
  ASSERT_TRUE(book.apply(one.key(), to_json(one)));
}

TEST(LabelMatcher, MatchesAsAlertmanagerDoes) {
  EXPECT_TRUE(matches("agent=support"));
  EXPECT_FALSE(matches("agent=suppor"));
  EXPECT_FALSE(matches("agent!=support"));
  EXPECT_TRUE(matches("agent=~sup.*"));
  EXPECT_FALSE(matches("agent=~sup")) << "a regular expression matches the whole value";
  EXPECT_FALSE(matches("agent!~sup.*"));
  EXPECT_TRUE(matches("agent!~sup"));
  EXPECT_TRUE(matches("agent=~\"support|billing\""));
  EXPECT_TRUE(matches("alertname=CostSpike"));
  EXPECT_TRUE(matches("alert=~Cost.+"));
  EXPECT_FALSE(matches("alertname!=CostSpike"));
}

TEST(LabelMatcher, AnAbsentLabelHasTheEmptyValue) {
  EXPECT_TRUE(matches("model="));
  EXPECT_TRUE(matches("model=\"\""));
  EXPECT_TRUE(matches("model!=gpt"));
  EXPECT_TRUE(matches("model=~.*"));
  EXPECT_FALSE(matches("model=~.+"));
}

TEST(LabelMatcher, ItsTextReadsAsItself) {
  for (const std::string text : {"agent=support", "agent!=\"a b\"", "agent=~\"a|b\"", "agent!~\"a\\\\d\"",
                                 "agent=\"say \\\"no\\\"\"", "agent=\"\"", "agent=task:1/2"}) {
    const auto matcher = LabelMatcher::parse(text);
    ASSERT_TRUE(matcher) << matcher.error();
    EXPECT_EQ(matcher.value().text(), text);
  }
  const auto digits = LabelMatcher::parse("agent=~\"a\\d\"");
  ASSERT_TRUE(digits);
  EXPECT_TRUE(digits.value().matches_value("a7")) << "escapes that quotes do not have belong to the expression";
}

TEST(LabelMatcher, WhatIsNoMatcherIsRefusedWithTheReason) {
  EXPECT_NE(refusal("").find("name of a label"), std::string::npos);
  EXPECT_NE(refusal("=support").find("name of a label"), std::string::npos);
  EXPECT_NE(refusal("7up=x").find("name of a label"), std::string::npos);
  EXPECT_NE(refusal("agent").find("'=', '!='"), std::string::npos);
  EXPECT_NE(refusal("agent~x").find("'=', '!='"), std::string::npos);
  EXPECT_NE(refusal("agent=\"x").find("quotes"), std::string::npos);
  EXPECT_NE(refusal("agent=\"x\"y").find("quotes"), std::string::npos);
  EXPECT_NE(refusal("agent=~(").find("regular expression"), std::string::npos);
  EXPECT_NE(refusal("agent=~((((x{100}){100}){100}){100})").find("regular expression"), std::string::npos);
  EXPECT_NE(refusal("agent=" + std::string(2'000, 'x')).find("longer than"), std::string::npos);
}

TEST(Silence, IsRefusedWithTheReason) {
  const auto refused = [](const std::vector<std::string>& matchers, Duration until, const std::string& by = "ann",
                          const std::string& reason = "why") {
    const auto made = make_silence(matchers, event_at(0s), event_at(until), by, reason, event_at(0s));
    return made ? std::string("taken") : made.error();
  };
  EXPECT_EQ(refused({"agent=x"}, 1h), "taken");
  EXPECT_NE(refused({}, 1h).find("at least one matcher"), std::string::npos);
  EXPECT_NE(refused(std::vector<std::string>(33, "agent=x"), 1h).find("at most 32"), std::string::npos);
  EXPECT_NE(refused({"agent=x", "nonsense"}, 1h).find("nonsense"), std::string::npos);
  EXPECT_NE(refused({"agent!=x", "env=~.*"}, 1h).find("at least one must ask"), std::string::npos);
  EXPECT_NE(refused({"agent=x"}, 0s).find("before it begins"), std::string::npos);
  EXPECT_NE(refused({"agent=x"}, 24h * 400).find("a year"), std::string::npos);
  EXPECT_NE(refused({"agent=x"}, 1h, "").find("'by'"), std::string::npos);
  EXPECT_NE(refused({"agent=x"}, 1h, "ann", "").find("'reason'"), std::string::npos);
  EXPECT_NE(refused({"agent=x"}, 1h, std::string(600, 'a')).find("512"), std::string::npos);
}

TEST(Silence, ItsJsonReadsAsItself) {
  Silence one = silence({"agent=support", "alertname=~\"Cost.*\""}, 0s, 2h);
  one.expired_at = event_at(1h);
  one.expired_by = "bob";
  const auto read = silence_from_json(to_json(one));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), to_json(one));
  EXPECT_EQ(read->ends_at(), event_at(1h));
  EXPECT_EQ(one.id.size(), 12U);
  for (const std::string text : {"", "{}", "[]", "{\"kind\":\"silence\"}", "{\"kind\":\"halt\"}"}) {
    EXPECT_FALSE(silence_from_json(text)) << text;
  }
  const std::string deep = "{\"kind\":\"silence\",\"matchers\":" + std::string(50'000, '[');
  EXPECT_FALSE(silence_from_json(deep));
}

TEST(Silence, ItsCommandSilencesExactlyTheseLabelsAndSurvivesAShell) {
  EXPECT_EQ(silence_command("CostSpike", {{"env", ""}, {"agent", "support"}}, ""),
            "tocsin silences add alertname=CostSpike 'env=\"\"' agent=support --for 2h --by YOUR-NAME --reason WHY");
  EXPECT_EQ(silence_command("A", {{"agent", "it's $(here)"}}, "http://x:1"),
            "tocsin silences add alertname=A 'agent=\"it'\\''s $(here)\"' --for 2h --by YOUR-NAME --reason WHY --url "
            "http://x:1");
}

TEST(SilenceBook, CoversWhatAllMatchersMatchWhileItLasts) {
  SilenceBook book;
  EXPECT_EQ(book.covers("CostSpike", of_support, event_at(1h)), nullptr);
  put(book, silence({"agent=support", "alertname=CostSpike"}, 1h, 2h));
  EXPECT_EQ(book.covers("CostSpike", of_support, event_at(1h - 1ms)), nullptr);
  EXPECT_NE(book.covers("CostSpike", of_support, event_at(1h)), nullptr);
  EXPECT_NE(book.covers("CostSpike", of_support, event_at(2h - 1ms)), nullptr);
  EXPECT_EQ(book.covers("CostSpike", of_support, event_at(2h)), nullptr);
  EXPECT_EQ(book.covers("ErrorRateSpike", of_support, event_at(1h)), nullptr);
}

TEST(SilenceBook, OfSeveralTheOneThatEndsLastCovers) {
  SilenceBook book;
  const Silence longer = silence({"agent=support"}, 0s, 3h);
  put(book, silence({"env=prod"}, 0s, 1h));
  put(book, longer);
  put(book, silence({"severity=critical"}, 0s, 2h));
  EXPECT_EQ(book.covers("CostSpike", of_support, event_at(0s))->id, longer.id);
}

TEST(SilenceBook, APersonExpiresASilenceBeforeItsTime) {
  SilenceBook book;
  Silence one = silence({"agent=support"}, 0s, 3h);
  put(book, one);
  const auto before = book.version();
  one.expired_at = event_at(1h);
  put(book, one);
  EXPECT_NE(book.version(), before);
  EXPECT_NE(book.covers("CostSpike", of_support, event_at(1h - 1ms)), nullptr);
  EXPECT_EQ(book.covers("CostSpike", of_support, event_at(1h)), nullptr);
}

TEST(SilenceBook, WhatEndedFiveDaysAgoIsForgotten) {
  SilenceBook book;
  const Silence one = silence({"agent=support"}, 0s, 1h);
  put(book, one);
  EXPECT_TRUE(book.expire(event_at(120h)).empty());
  EXPECT_EQ(book.expire(event_at(121h)), std::vector<std::string>{one.key()});
  EXPECT_TRUE(book.items().empty());
}

TEST(SilenceBook, TombstonesRemoveAndForeignRecordsAreNoneOfOurs) {
  SilenceBook book;
  const Silence one = silence({"agent=support"}, 0s, 1h);
  put(book, one);
  EXPECT_FALSE(book.apply("silence/other", to_json(one)));
  EXPECT_FALSE(book.apply("halt/task:1/a", "{}"));
  EXPECT_FALSE(book.apply("silence/x", "no JSON"));
  EXPECT_EQ(book.items().size(), 1U);
  EXPECT_TRUE(book.apply(one.key(), ""));
  EXPECT_EQ(book.find(one.id), nullptr);
}

}  // namespace silence_book_test
}  // namespace tocsin
