#include "core/alert/withheld_pages.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace withheld_pages_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;

AlertChange change(bool firing, Duration when, const std::string& agent = "support", std::int64_t episode = 1) {
  AlertChange change;
  change.at = at(when);
  change.alert = "CostSpike";
  change.firing = firing;
  change.labels = {{"agent", agent}};
  change.episode = episode;
  change.alert_id = "id-" + agent;
  change.dedup_key = change.alert_id + ":" + std::to_string(episode);
  change.page_id = page_id(change.alert_id, episode, firing);
  change.sends_page = true;
  return change;
}

Silence silenced(const std::string& matcher, Duration from, Duration until) {
  return make_silence({matcher}, event_at(from), event_at(until), "ann", "known", event_at(from)).value();
}

class WithheldPagesTest : public testing::Test {
 protected:
  void put(const Silence& silence) { ASSERT_TRUE(book.apply(silence.key(), to_json(silence))); }
  std::vector<std::string> changes() {
    std::vector<std::string> list;
    pages.take_changes([&](std::string_view key, std::string_view value) {
      list.push_back((value.empty() ? "-" : "+") + std::string(key));
    });
    return list;
  }
  std::vector<std::string> due(Duration now) {
    std::vector<std::string> ids;
    for (const Page& page : pages.advance(at(now), book)) ids.push_back(page.page_id);
    return ids;
  }

  SilenceBook book;
  WithheldPages pages;
};

TEST_F(WithheldPagesTest, WithoutASilencePagesGoOutAsTheyAre) {
  const AlertChange fired = change(true, 0s);
  const auto page = pages.apply(fired, book);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->order_key, "id-support");
  EXPECT_EQ(page->page_id, "id-support:1:firing");
  EXPECT_EQ(page->body, to_page_json(fired));
  EXPECT_TRUE(pages.apply(change(false, 1h), book));
  AlertChange without = change(true, 2h);
  without.page_id.reset();
  without.sends_page = false;
  EXPECT_FALSE(pages.apply(without, book));
  EXPECT_TRUE(changes().empty());
}

TEST_F(WithheldPagesTest, AFindingAheadOfItsGridTimeIsHeldBackByASilenceThatBeganInBetweenAlsoAfterARestart) {
  put(silenced("agent=support", 5s, 2h));
  EXPECT_FALSE(pages.apply(change(true, 7s), book));
  EXPECT_TRUE(due(0s).empty()) << "the last grid time lies before the silence";
  std::vector<std::pair<std::string, std::string>> records;
  pages.take_changes([&](std::string_view key, std::string_view value) { records.emplace_back(key, value); });
  ASSERT_EQ(records.size(), 1U);
  WithheldPages restored;
  ASSERT_TRUE(restored.restore(records[0].first, records[0].second));
  EXPECT_TRUE(restored.advance(at(0s), book).empty());
  EXPECT_TRUE(restored.advance(at(10s), book).empty());
  EXPECT_EQ(restored.advance(at(2h), book).size(), 1U);
}

TEST_F(WithheldPagesTest, AnAlertThatEndsUnderItsSilenceWakesNobodyAtAll) {
  put(silenced("agent=support", 0s, 2h));
  EXPECT_FALSE(pages.apply(change(true, 10min), book));
  EXPECT_TRUE(pages.apply(change(true, 10min, "billing"), book)) << "another agent is not silenced";
  EXPECT_TRUE(pages.holds("id-support:1"));
  EXPECT_FALSE(pages.apply(change(false, 1h), book));
  EXPECT_EQ(pages.size(), 0U);
  EXPECT_TRUE(due(3h).empty());
}

TEST_F(WithheldPagesTest, AResolutionOfAPageThatWentOutIsSentUnderASilenceToo) {
  EXPECT_TRUE(pages.apply(change(true, 0s), book));
  put(silenced("agent=support", 10min, 2h));
  const auto page = pages.apply(change(false, 1h), book);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->page_id, "id-support:1:resolved");
}

TEST_F(WithheldPagesTest, APageIsSentWhenItsSilenceEndsBeforeItsAlert) {
  put(silenced("agent=support", 0s, 2h));
  const AlertChange fired = change(true, 10min);
  EXPECT_FALSE(pages.apply(fired, book));
  EXPECT_TRUE(due(2h - 1ms).empty());
  const auto sent = pages.advance(at(2h), book);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].page_id, *fired.page_id);
  EXPECT_EQ(sent[0].body, to_page_json(fired));
  EXPECT_TRUE(due(3h).empty()) << "once";
  EXPECT_TRUE(pages.apply(change(false, 4h), book)) << "it closes what was opened late";
}

TEST_F(WithheldPagesTest, APersonWhoExpiresTheSilenceSendsThePage) {
  Silence silence = silenced("agent=support", 0s, 2h);
  put(silence);
  EXPECT_FALSE(pages.apply(change(true, 10min), book));
  EXPECT_TRUE(due(20min).empty());
  silence.expired_at = event_at(30min);
  put(silence);
  EXPECT_EQ(due(30min), std::vector<std::string>{"id-support:1:firing"});
}

TEST_F(WithheldPagesTest, ASecondSilenceGoesOnWithholding) {
  put(silenced("agent=support", 0s, 1h));
  EXPECT_FALSE(pages.apply(change(true, 10min), book));
  put(silenced("alertname=CostSpike", 30min, 2h));
  EXPECT_TRUE(due(1h).empty());
  EXPECT_TRUE(due(90min).empty());
  EXPECT_EQ(due(2h).size(), 1U);
}

TEST_F(WithheldPagesTest, AnAlertOfTheSamePageThatNobodySilencedSendsIt) {
  put(silenced("agent=support", 0s, 2h));
  EXPECT_FALSE(pages.apply(change(true, 10min), book));
  AlertChange silenced_too = change(true, 20min);
  silenced_too.sends_page = false;
  EXPECT_FALSE(pages.apply(silenced_too, book));
  AlertChange other = change(true, 30min);
  other.labels = {{"agent", "billing"}};
  other.sends_page = false;
  const auto page = pages.apply(other, book);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->page_id, "id-support:1:firing");
  other.at = at(40min);
  EXPECT_FALSE(pages.apply(other, book)) << "the page is out already";
}

TEST_F(WithheldPagesTest, ItsStateIsChangesOfRecords) {
  put(silenced("agent=~.+", 0s, 2h));
  pages.apply(change(true, 10min, "a"), book);
  pages.apply(change(true, 10min, "b"), book);
  pages.apply(change(true, 11min, "c"), book);
  pages.apply(change(false, 12min, "c"), book);
  EXPECT_EQ(changes(), (std::vector<std::string>{"+id-a:1", "+id-b:1"})) << "what came and went leaves nothing";
  EXPECT_TRUE(changes().empty());
  pages.apply(change(false, 20min, "a"), book);
  EXPECT_EQ(changes(), std::vector<std::string>{"-id-a:1"});
  EXPECT_EQ(due(2h).size(), 1U);
  EXPECT_EQ(changes(), std::vector<std::string>{"-id-b:1"});
}

TEST_F(WithheldPagesTest, ARestoredStateDecidesAsTheOldOne) {
  put(silenced("agent=~a|b", 0s, 2h));
  std::vector<std::pair<std::string, std::string>> records;
  pages.apply(change(true, 10min, "a"), book);
  pages.apply(change(true, 10min, "b"), book);
  pages.take_changes([&](std::string_view key, std::string_view value) { records.emplace_back(key, value); });
  pages.apply(change(false, 20min, "b"), book);
  pages.take_changes([&](std::string_view key, std::string_view value) { records.emplace_back(key, value); });

  WithheldPages again;
  for (const auto& [key, value] : records) EXPECT_TRUE(again.restore(key, value));
  EXPECT_EQ(again.size(), 1U);
  EXPECT_TRUE(again.advance(at(1h), book).empty());
  const auto sent = again.advance(at(2h), book);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].order_key, "id-a");
  EXPECT_EQ(sent[0].page_id, "id-a:1:firing");
  EXPECT_EQ(sent[0].body, to_page_json(change(true, 10min, "a")));
  std::string tombstone;
  again.take_changes([&](std::string_view key, std::string_view value) {
    if (value.empty()) tombstone = key;
  });
  EXPECT_EQ(tombstone, "id-a:1");
  EXPECT_FALSE(again.restore("id-x:1", "{}"));
  EXPECT_FALSE(again.restore("id-x:1", to_page_json(change(true, 0s, "a"))));
}

TEST_F(WithheldPagesTest, BeyondItsBoundPagesGoOutInSpiteOfTheirSilence) {
  put(silenced("agent=support", 0s, 2h));
  for (std::int64_t episode = 1; episode <= 10'000; ++episode) {
    ASSERT_FALSE(pages.apply(change(true, 10min, "support", episode), book));
  }
  EXPECT_TRUE(pages.apply(change(true, 10min, "support", 10'001), book));
  EXPECT_EQ(pages.size(), 10'000U);
}

}  // namespace withheld_pages_test
}  // namespace tocsin
