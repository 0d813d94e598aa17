// Alerts of rules that count within tasks: from the news of ingest to pages, over restarts and edited rules.

#include <gtest/gtest.h>

#include <map>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace counted_task_alerts_test {

using namespace std::chrono_literals;
using test::at;

std::string rule(const std::string& keys) {
  return "groups:\n- name: g\n  rules:\n  - {alert: Loop, mode: task, from: tool.call, per: [tool, arguments.hash], "
         "value: count(), " +
         keys + "}\n";
}
const std::string loop = rule(
    "window: 10m, when: value >= 4, annotations: {summary: '{{agent}} calls {{tool}} {{value}} times, {{threshold}} "
    "is enough'}, links: {trace: 'https://t/{{correlation_id}}/{{tool}}'}");

class CountedTaskAlerts : public testing::Test {
 protected:
  void use(const std::string& text) {
    rules_ = test::rules_from(text);
    ingest_ = make_ingest();
    evaluate_ = make_evaluate();
  }
  std::unique_ptr<IngestPartition> make_ingest() const {
    IngestOptions options;
    options.deployment = "eu1";
    return std::make_unique<IngestPartition>(options, rules_, test::shipped_patterns(),
                                             Fingerprinter(std::vector<unsigned char>(32, 7)));
  }
  std::unique_ptr<EvaluatePartition> make_evaluate() const {
    EvaluateOptions options;
    options.deployment = "eu1";
    options.keeps_state = true;
    return std::make_unique<EvaluatePartition>(options, rules_);
  }

  void event(Duration time, const std::string& type, const std::string& task, const std::string& more = {}) {
    const std::string json = R"({"type":")" + type + R"(","time":")" + test::text_at(time) +
                             R"(","correlation_id":")" + task + R"(","env":"prod","agent":"support")" +
                             (more.empty() ? "" : "," + more) + "}";
    RawRecord record;
    record.key = task;
    record.value = json;
    record.time = at(time);
    record.offset = offset_++;
    ingest_->apply(record, out_);
    take();
  }
  void call(Duration time, const std::string& task, const std::string& arguments = R"({"url":"x"})",
            const std::string& more = {}) {
    event(time, "tool.call", task, R"("tool":"fetch","arguments":)" + arguments + more);
  }
  void close(Duration time) {
    ingest_->close_until(at(time), out_);
    take();
  }

  // Both stages are lost and restored. Requires: the slice is empty.
  void restart() {
    std::vector<StateRecord> records;
    ingest_->take_changes(records);
    store(records, tasks_);
    evaluate_->take_changes(records);
    store(records, states_);
    const std::string position = ingest_->position(), evaluated = evaluate_->position();
    ingest_ = make_ingest();
    for (const auto& [key, value] : tasks_) ASSERT_TRUE(ingest_->restore(key, value));
    ASSERT_TRUE(ingest_->resume(position, offset_));
    evaluate_ = make_evaluate();
    for (const auto& [key, value] : states_) ASSERT_TRUE(evaluate_->restore(key, value));
    ASSERT_TRUE(evaluate_->begin_resume(evaluated));
    evaluate_->end_resume(changes_);
  }

  std::vector<std::string> take_news() {
    std::vector<std::string> news;
    for (const AlertChange& change : changes_) {
      const std::string id = change.examples.empty() ? "" : change.examples[0].correlation_id;
      news.push_back(id + (change.firing ? " firing " : " resolved ") + std::to_string(change.episode) + " @" +
                     to_text(change.at - at(0s)) + (change.sends_page ? " pages" : ""));
      last_ = change;
    }
    changes_.clear();
    return news;
  }

  std::shared_ptr<const RuleSet> rules_;
  std::unique_ptr<IngestPartition> ingest_;
  std::unique_ptr<EvaluatePartition> evaluate_;
  std::map<std::string, std::string> tasks_, states_;
  std::vector<AlertChange> changes_;
  AlertChange last_;

 private:
  void take() {
    for (Cut& cut : out_.cuts) evaluate_->apply(*decode_block(encode(cut.block)), changes_);
    out_.clear();
  }
  static void store(std::vector<StateRecord>& records, std::map<std::string, std::string>& topic) {
    for (StateRecord& record : records) {
      if (record.value.empty()) {
        topic.erase(record.key);
      } else {
        topic[record.key] = std::move(record.value);
      }
    }
    records.clear();
  }
  IngestOutput out_;
  std::int64_t offset_ = 0;
};

using News = std::vector<std::string>;

TEST_F(CountedTaskAlerts, ALoopPagesInItsSliceAndSaysWhatAPersonAsks) {
  use(loop);
  event(1s, "task.started", "a");
  for (int i = 0; i < 4; ++i) call(2s + i * 1min, "a");
  close(3min + 10s);
  EXPECT_EQ(take_news(), News{"a firing 1 @3m10s pages"});
  EXPECT_EQ(last_.annotations, (Labels{{"summary", "support calls fetch 4 times, 4 is enough"}}));
  EXPECT_EQ(last_.labels, (Labels{{"env", "prod"}, {"agent", "support"}, {"correlation_id", "a"}}));
  EXPECT_EQ(last_.examples[0].links, (Labels{{"trace", "https://t/a/fetch"}}));
  EXPECT_EQ(last_.value, 4);
  EXPECT_EQ(last_.baseline, 4);
  EXPECT_EQ(last_.window, 10min);
  EXPECT_EQ(last_.value_unit, "");
  EXPECT_EQ(last_.reason,
            "tool.call came to 4 within 10m, tool=fetch; running for 3m1s, started 2026-01-05T00:00:01.000Z");
  event(4min, "task.finished", "a", R"("outcome":"completed")");
  close(5min);
  EXPECT_EQ(take_news(), News{"a resolved 1 @4m10s pages"});
  EXPECT_EQ(last_.reason, "the task ended: completed");
  EXPECT_EQ(last_.annotations, (Labels{{"summary", "support calls fetch 4 times, 4 is enough"}}));
}

TEST_F(CountedTaskAlerts, ADuplicateDoesNotCountTwice) {
  use(loop);
  for (int i = 0; i < 9; ++i)
    call(1s + i * 1s, "a", R"({"url":"x"})", R"(,"event_id":"e-)" + std::to_string(i % 3) + "\"");
  close(1min);
  EXPECT_EQ(take_news(), News{});
}

TEST_F(CountedTaskAlerts, ArgumentsDifferByTextsNumbersTruthsAndNames) {
  use(loop);
  for (int i = 0; i < 9; ++i) {
    const std::string number = std::to_string(i);
    call(1s + i * 1s, "texts", R"({"url":"x)" + number + "\"}");
    call(1s + i * 1s, "numbers", R"({"url":"x","page":)" + number + "}");
    call(1s + i * 1s, "fractions", R"({"at":[1,0.5,)" + number + ".25]}");
  }
  for (int i = 0; i < 3; ++i) {
    call(1s, "truths", R"({"all":true})");
    call(1s, "truths", R"({"all":false})");
    call(1s, "names", R"({"limit":1})");
    call(1s, "names", R"({"offset":1})");
  }
  close(1min);
  EXPECT_EQ(take_news(), News{});
  for (int i = 0; i < 4; ++i) call(1min + i * 1s, "numbers again", R"({"page":1})");
  for (int i = 0; i < 4; ++i) call(1min + i * 1s, "nothing", "{}");
  for (int i = 0; i < 4; ++i) event(1min + i * 1s, "tool.call", "absent", R"("tool":"fetch")");
  close(2min);
  EXPECT_EQ(take_news(), (News{"absent firing 1 @1m10s pages", "nothing firing 1 @1m10s pages",
                               "numbers again firing 1 @1m10s pages"}));
}

TEST_F(CountedTaskAlerts, ItEndsWhenNothingMadeItHoldForItsWindowAndBeginsAgain) {
  use(loop);
  for (int i = 0; i < 6; ++i) call(1s + i * 1min, "a");
  close(15min);
  EXPECT_EQ(take_news(), News{"a firing 1 @3m10s pages"});
  close(16min);
  EXPECT_EQ(take_news(), News{"a resolved 1 @15m10s pages"}) << "the last came at 5 min 1 s";
  EXPECT_EQ(last_.reason, "nothing made the condition hold for 10m");
  for (int i = 0; i < 4; ++i) call(20min + i * 1s, "a");
  event(21min, "task.finished", "a");
  close(22min);
  EXPECT_EQ(take_news(), (News{"a firing 2 @20m10s pages", "a resolved 2 @21m10s pages"}));
}

TEST_F(CountedTaskAlerts, IsKeptForAWhileAndNoPageComesOfALoopThatGoesOn) {
  use(rule("window: 1m, when: value >= 2, keep_firing_for: 5m"));
  for (int i = 0; i < 30; ++i) call(1s + i * 30s, "a");
  close(20min);
  EXPECT_EQ(take_news(), News{"a firing 1 @40s pages"});
  close(21min);
  EXPECT_EQ(take_news(), News{"a resolved 1 @20m40s pages"}) << "14 min 31 s, and six minutes";
}

TEST_F(CountedTaskAlerts, WithoutAWindowItEndsWithTheTaskOrWhenThatIsLost) {
  use(rule("when: value >= 4, expire: 2h"));
  for (const char* task : {"a", "b"}) {
    for (int i = 0; i < 4; ++i) call(1s + i * 20min, task);
  }
  close(90min);
  EXPECT_EQ(take_news(), (News{"a firing 1 @1h10s pages", "b firing 1 @1h10s pages"}));
  event(2h, "task.finished", "a");
  close(4h);
  EXPECT_EQ(take_news(), (News{"a resolved 1 @2h10s pages", "b resolved 1 @3h10s pages"}));
  EXPECT_EQ(last_.reason, "lost: the task never ended");
}

TEST_F(CountedTaskAlerts, OnePageForAllTasksOfAnAgent) {
  use(rule("when: value >= 2, page_by: [env, agent]"));
  for (const char* task : {"a", "b", "c"}) {
    for (int i = 0; i < 2; ++i) call(1s, task);
  }
  close(1min);
  EXPECT_EQ(take_news(), (News{"a firing 1 @10s pages", "b firing 1 @10s", "c firing 1 @10s"}));
  for (const char* task : {"a", "b", "c"}) event(1min, "task.finished", task);
  close(2min);
  EXPECT_EQ(take_news(), (News{"a resolved 1 @1m10s", "b resolved 1 @1m10s", "c resolved 1 @1m10s pages"}));
}

// Lost at any of its grid times, it goes on as if it had not been.
TEST_F(CountedTaskAlerts, GoesOnExactlyAfterARestart) {
  for (Duration lost = 0s; lost <= 16min; lost += 10s) {
    use(loop);
    tasks_.clear();
    states_.clear();
    for (int i = 0; i < 6; ++i) {
      call(1s + i * 1min, "a");
      close(i * 1min + 10s);
      if (lost >= i * 1min + 10s && lost < (i + 1) * 1min + 10s) {
        close(std::min<Duration>(lost, (i + 1) * 1min));
        restart();
      }
    }
    if (lost > 6min) {
      close(lost);
      restart();
    }
    close(20min);
    EXPECT_EQ(take_news(), (News{"a firing 1 @3m10s pages", "a resolved 1 @15m10s pages"})) << to_text(lost);
    EXPECT_EQ(last_.annotations, (Labels{{"summary", "support calls fetch 4 times, 4 is enough"}}));
    if (HasFailure()) return;
  }
}

TEST_F(CountedTaskAlerts, WhatTheStateHoldsOfArgumentsCannotBeGuessed) {
  use(loop);
  const auto with_another_key = std::make_unique<IngestPartition>(IngestOptions{}, rules_, test::shipped_patterns(),
                                                                  Fingerprinter(std::vector<unsigned char>(32, 8)));
  const auto task_record = [&](IngestPartition& partition) {
    RawRecord record;
    const std::string json = R"({"type":"tool.call","time":")" + test::text_at(1s) +
                             R"(","correlation_id":"a","env":"prod","agent":"support","tool":"fetch","arguments":)"
                             R"({"card":"4111 1111 1111 1111"}})";
    record.key = "a";
    record.value = json;
    record.time = at(1s);
    IngestOutput out;
    partition.apply(record, out);
    partition.close_until(at(10s), out);
    std::vector<StateRecord> all;
    partition.take_changes(all);
    for (const StateRecord& one : all) {
      EXPECT_EQ(one.value.find("4111"), std::string::npos);
      if (one.key == "task/a") return one.value;
    }
    return std::string{};
  };
  const std::string own = task_record(*ingest_), other = task_record(*with_another_key);
  EXPECT_NE(own, "");
  EXPECT_NE(own, other) << "it depends on the key";
}

}  // namespace counted_task_alerts_test
}  // namespace tocsin
