// Faults of input and time, by their numbers in tests/faults.md: what comes from outside is counted or refused with a
// reason, in bounded time and memory, and what comes after it counts as if it had not been there.

#include <gtest/gtest.h>

#include <ctime>
#include <string>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"
#include "edge/prometheus/metric_page.h"

namespace tocsin {
namespace input_faults_test {

using namespace std::chrono_literals;
using test::at;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double slower = 20;  // the sanitizers take up to twenty times as long
#else
constexpr double slower = 1;
#endif

// Of this thread alone: a busy machine makes nothing slower.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

constexpr std::string_view rules_text = R"(
groups:
- name: g
  rules:
  - {alert: Steps, from: step, value: count(), window: 1h, when: value > 1000000}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [env, agent, correlation_id, secret.pattern], actions: [{halt: task}, page]}
  - {alert: Over, mode: task, when: elapsed > 5m}
)";

std::string step(const std::string& more = {}) {
  return R"({"type":"step","correlation_id":"t","env":"prod","agent":"support")" + (more.empty() ? "" : "," + more) +
         "}";
}

class Partition {
 public:
  explicit Partition(IngestOptions options = {})
      : ingest_(options, test::rules_from(rules_text), test::shipped_patterns(),
                Fingerprinter(std::vector<unsigned char>(32, 7))) {}

  // The reason for which the record was refused, or nothing.
  std::string apply(std::string_view json, std::string_view key = {}, Duration time = 1s) {
    out_.clear();
    ingest_.apply({key, json, at(time), offset_++}, out_);
    take();
    if (out_.dead_letters.empty()) return {};
    EXPECT_EQ(out_.dead_letters.size(), 1U);
    EXPECT_EQ(out_.dead_letters[0].offset, offset_ - 1);
    EXPECT_EQ(out_.dead_letters[0].bytes, json.size());
    return std::string(name_of(out_.dead_letters[0].reason));
  }
  // How many steps of the agent `support` the slices up to `until` hold.
  std::int64_t steps(Duration until = 10s) {
    out_.clear();
    ingest_.close_until(at(until), out_);
    take();
    return std::exchange(steps_, 0);
  }

  IngestPartition ingest_;
  std::int64_t over_cap_ = 0;
  std::size_t cells_ = 0;
  std::vector<Cut> cuts_;
  IngestOutput out_;

 private:
  void take() {
    for (Cut& cut : out_.cuts) {
      for (const Cell& cell : cut.block.cells) {
        if (cell.group == GroupKey("prod\0support", 12)) steps_ += cell.totals.count;
      }
      cells_ += cut.block.cells.size();
      over_cap_ += cut.block.groups_over_cap;
      cuts_.push_back(std::move(cut));
    }
  }

  std::int64_t offset_ = 0;
  std::int64_t steps_ = 0;
};

TEST(Fault, F31_TheOwnTimeOfAnEventMovesNoWindowWhateverItSays) {
  Partition partition;
  int taken = 0;
  for (const std::string time :
       {"\"1970-01-01T00:00:00Z\"", "\"2100-01-01T00:00:00Z\"", "4102444800", "1767571200", "1767571200000",
        "1767571200000000", "1767571200000000000", "1767571200.5", "\"1767571200\"", "null", "\"\""}) {
    EXPECT_EQ(partition.apply(step("\"time\":" + time)), "") << time;
    ++taken;
  }
  for (const std::string time : {"-1", "-1767571200000", "\"NaN\"", "1e400", "99999999999999999999", "\"soon\"",
                                 "\"0000-00-00T00:00:00Z\"", "\"2026-13-01T00:00:00Z\""}) {
    EXPECT_EQ(partition.apply(step("\"time\":" + time)), "bad_time") << time;
  }
  EXPECT_EQ(partition.apply(step("\"time\":NaN")), "not_json");
  EXPECT_EQ(partition.apply(step()), "") << "without a time";
  EXPECT_EQ(partition.ingest_.log_time(), at(1s));
  EXPECT_EQ(partition.steps(), taken + 1);
}

TEST(Fault, F34_LateEventsCountWhenTheyArrive) {
  Partition partition;
  partition.apply(step("\"time\":\"" + test::text_at(3h) + "\""), {}, 3h);
  partition.steps(3h);
  partition.cuts_.clear();
  partition.apply(step("\"time\":\"" + test::text_at(3h - 9min) + "\""), {}, 3h + 1s);
  partition.apply(step("\"time\":\"" + test::text_at(1h) + "\""), {}, 3h + 2s);
  EXPECT_EQ(partition.steps(3h + 10s), 3);
  ASSERT_EQ(partition.cuts_.size(), 1U) << "no slice of the past opens again";
  EXPECT_EQ(partition.cuts_[0].grid, at(3h + 10s));
}

TEST(Fault, F36_BrokenRecordsAreDeadLettersAndStopNothing) {
  Partition partition;
  const std::string good = step(R"("content":"x")");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{broken", "not_json"},
      {good.substr(0, good.size() - 1), "not_json"},
      {"\xEF\xBB\xBF" + good, ""},
      {"\xEF\xBB\xBF\xEF\xBB\xBF" + good, "not_json"},
      {good + good, "trailing_data"},
      {good + "\n\n", ""},
      {good + std::string(1, '\0'), "not_json"},
      {"", "empty"},
      {step("\"content\":\"a" + std::string(1, '\0') + "b\""), "not_json"},
      {step(R"("content":"a\u0000b")"), ""},
      {step(R"("content":"\ud800")"), ""},
      {step(R"("content":"\udc00\ud800")"), ""},
      {step("\"content\":\"\xff\""), "not_utf8"},
      {step("\"content\":\"\xed\xa0\x80\""), "not_utf8"},
      {step("\"content\":\"\xf4\x90\x80\x80\""), "not_utf8"},
  };
  std::int64_t good_ones = 0;
  for (const auto& [record, reason] : cases) {
    EXPECT_EQ(partition.apply(record), reason) << record;
    EXPECT_EQ(partition.apply(good), "") << "after " << record;
    good_ones += reason.empty() ? 2 : 1;
  }
  EXPECT_EQ(partition.steps(), good_ones);
}

TEST(Fault, F37_DepthIsBoundedAndSeenFast) {
  Partition partition;
  const auto deep = [](std::size_t levels, bool closed) {
    return R"({"type":"step","correlation_id":"t","content":)" + std::string(levels - 1, '[') +
           (closed ? std::string(levels - 1, ']') + "}" : "");
  };
  EXPECT_EQ(partition.apply(deep(100, true)), "");
  EXPECT_EQ(partition.apply(deep(101, true)), "too_deep");
  const double begun = processor_seconds();
  EXPECT_EQ(partition.apply(deep(5'000'000, true)), "too_large");
  EXPECT_EQ(partition.apply(deep(500'000, true)), "too_deep");
  EXPECT_EQ(partition.apply(deep(1'000'000, false)), "not_json");
  std::string objects;
  for (int i = 0; i < 150'000; ++i) objects += R"({"a":)";
  EXPECT_NE(partition.apply(objects), "");
  EXPECT_LT(processor_seconds() - begun, 0.5 * slower);
}

TEST(Fault, F38_AMebibyteIsTheLargestRecord) {
  Partition partition;
  const auto of_size = [](std::size_t size) {
    std::string record = step(R"("content":"")");
    record.insert(record.size() - 2, std::string(size - record.size(), 'x'));
    return record;
  };
  EXPECT_EQ(partition.apply(of_size(1 << 20)), "");
  EXPECT_EQ(partition.apply(of_size((1 << 20) + 1)), "too_large");
  const double begun = processor_seconds();
  EXPECT_EQ(partition.apply(of_size(10 << 20)), "too_large");
  EXPECT_LT(processor_seconds() - begun, 0.2 * slower) << "nobody reads it";
  EXPECT_EQ(partition.steps(), 1);
}

TEST(Fault, F39_NumbersBeyondEveryRangeAreRefusedAndZeroIsZero) {
  Partition partition;
  for (const std::string number : {"1e400", "1e308", "18446744073709551616", "-1", "1000000000000001"}) {
    EXPECT_EQ(partition.apply(step("\"tokens_in\":" + number)), "out_of_range") << number;
    // In a field that nobody reads it is a number like any other, if one can hold it.
    EXPECT_EQ(partition.apply(step("\"unheard_of\":" + number)), number == "1e400" ? "not_json" : "") << number;
  }
  EXPECT_EQ(partition.apply(step("\"tokens_in\":1" + std::string(400, '0'))), "out_of_range");
  for (const std::string zero : {"-0", "0", "0.0", "-0.0e10", "1e-400"}) {
    EXPECT_EQ(partition.apply(step("\"tokens_in\":" + zero)), "") << zero;
  }
  EXPECT_EQ(partition.apply(R"({"type":"step","type":"system","correlation_id":"t"})"), "") << "the last one holds";
}

TEST(Fault, F40_AnObjectOfAHundredThousandKeysIsRefused) {
  Partition partition;
  std::string record = R"({"type":"step")";
  for (int i = 0; i < 100'000; ++i) record += ",\"" + std::to_string(i) + "\":1";
  const double begun = processor_seconds();
  EXPECT_EQ(partition.apply(record + "}"), record.size() >= (1U << 20) ? "too_large" : "too_many_keys");
  record.resize(record.rfind(',', 1'000'000));
  EXPECT_EQ(partition.apply(record + "}"), "too_many_keys");
  EXPECT_LT(processor_seconds() - begun, 0.2 * slower);
}

TEST(Fault, F43_TombstonesAndKeysOfAnySizeAreRead) {
  Partition partition;
  const std::string huge(1 << 20, 'k');
  const std::string no_id = R"({"type":"step","env":"prod","agent":"support"})";
  EXPECT_EQ(partition.apply("", "t"), "empty");
  EXPECT_EQ(partition.apply(no_id, "t"), "");
  for (const std::string& key : {std::string(), huge, std::string("a\0b", 3), std::string("\xff")}) {
    EXPECT_EQ(partition.apply(no_id, key), "no_correlation_id") << key.substr(0, 10);
    EXPECT_EQ(partition.apply(step(), key), "") << "it has its own";
  }
  EXPECT_EQ(partition.apply(R"({"type":"task.started","correlation_id":")" + std::string(1 << 19, 'i') + "\"}"), "");
  EXPECT_EQ(partition.ingest_.open_tasks(), 2U);
  partition.steps();
  std::vector<StateRecord> changes;
  partition.ingest_.take_changes(changes);
  for (const StateRecord& change : changes) EXPECT_LT(change.key.size(), 1'024U) << "ids are cut";
}

TEST(Fault, F44_NoTextIsSlowToScan) {
  constexpr std::size_t mebibyte = 1 << 20;
  const auto filled = [](const std::string& unit) {
    std::string text;
    while (text.size() + unit.size() <= mebibyte) text += unit;
    return text;
  };
  const std::vector<std::pair<std::string, std::string>> texts{
      {"base64", filled("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODk")},
      {"base64 with pads", filled("QUJDREVGR0hJSktMTU5PUA== ")},
      {"keyword soup", filled("password token secret api_key AKIA ghp_ xoxb- sk- eyJ -----BEGIN ")},
      {"assignments", filled("password=secret token: 'x' api_key=\"y\" ")},
      {"a token without end", "pypi-" + std::string(mebibyte - 5, 'a')},
      {"tokens that break off", filled("pypi-AgEIcHlwaS5vcmc")},
      {"private keys that break off", filled(std::string("-----BEGIN RSA PRIVATE ") + "KEY-----\n")},
      {"nested quotes", filled("\\\"{\\\"a\\\":\\\"")},
      {"digits", filled("4111111111111111 ")},
      {"addresses", filled("a@b.cc ")},
      {"jwt", filled("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.")},
      {"hyphens", std::string(mebibyte, '-')},
      {"nuls", std::string(mebibyte, '\0')},
      {"high bytes", std::string(mebibyte, '\xff')},
  };
  Scanner scanner(test::shipped_patterns());
  for (const auto& [name, text] : texts) {
    const double begun = processor_seconds();
    scanner.scan(text);
    // The bound is 50 ms a mebibyte; the machine of a test may be three times as slow.
    EXPECT_LT(processor_seconds() - begun, 0.15 * slower) << name;
  }
}

TEST(Fault, F45_NewKeysWithoutEndAreCappedAndKnownOnesGoOn) {
  IngestOptions options;
  options.most_open_tasks = 1'000;
  options.most_groups = 500;
  Partition partition(options);
  partition.apply(R"({"type":"task.started","correlation_id":"known","env":"prod","agent":"support"})");
  partition.apply(step());
  constexpr int flood = 50'000;
  for (int i = 0; i < flood; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_EQ(
        partition.apply(R"({"type":"step","correlation_id":"f)" + id + R"(","env":"prod","agent":"a)" + id + "\"}"),
        "");
  }
  EXPECT_EQ(partition.ingest_.open_tasks(), 1'000U);
  EXPECT_GE(partition.ingest_.totals().tasks_not_tracked, flood - 1'000);
  EXPECT_LE(partition.ingest_.groups(), 501U);
  partition.apply(step());
  EXPECT_EQ(partition.steps(), 2) << "the series that was known counts on";
  EXPECT_GT(partition.over_cap_, 0) << "evaluate pages for it";
  EXPECT_LE(partition.cells_, 502U);
  // The task that was known before the flood is judged as ever.
  partition.cuts_.clear();
  partition.steps(6min);
  std::size_t over = 0;
  for (const Cut& cut : partition.cuts_) {
    for (const TaskNews& news : cut.block.tasks)
      over += news.group.ends_with("known") && news.kind == TaskNews::Kind::over;
  }
  EXPECT_EQ(over, 1U);
}

TEST(Fault, F46_LabelsBreakOutOfNoMetricAndTheirSetIsBounded) {
  MetricPage page;
  page.gauge("tocsin_x", "Help.", {{"agent", "a\"} 1\ntocsin_evil{x=\"\\"}}, 1);
  EXPECT_EQ(page.text(),
            "# HELP tocsin_x Help.\n# TYPE tocsin_x gauge\n"
            "tocsin_x{agent=\"a\\\"} 1\\ntocsin_evil{x=\\\"\\\\\"} 1\n");

  Partition partition;
  for (int i = 0; i < 12'000; ++i) partition.apply(step("\"agent\":\"a" + std::to_string(i) + "\""));
  EXPECT_EQ(partition.ingest_.agents().size(), 10'001U);
  EXPECT_EQ(partition.ingest_.agents().back().agent, "_overflow");
  EXPECT_EQ(partition.apply(step()), "") << "one more agent that is not known by name";
  EXPECT_EQ(partition.ingest_.agents().size(), 10'001U);
}

TEST(Fault, F47_WhatAnAgentIsCalledBreaksOutOfNoPage) {
  AlertChange change;
  change.alert = "A";
  change.alert_id = "id";
  change.page_id = "id:1:firing";
  change.labels = {{"agent", "x\"},\"severity\":\"none\r\nX-Injected: 1"}, {"severity", "critical"}};
  change.annotations = {{"summary", "{{agent}}\r\n\"}"}};
  const std::string body = to_page_json(change);
  EXPECT_EQ(body.find_first_of("\r\n"), std::string::npos);
  EXPECT_NE(body.find(R"("agent":"x\"},\"severity\":\"none\r\nX-Injected: 1")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("summary":"{{agent}}\r\n\"}")"), std::string::npos) << "not a template any more";
  EXPECT_EQ(page_id_in(body), "id:1:firing");
}

TEST(Fault, F48_AnEventThatComesTwiceCountsOnce) {
  Partition partition;
  const std::string secret = test::aws_key;
  const std::string leak = step(R"("event_id":"e1","content":")" + secret + "\"");
  partition.apply(leak);
  EXPECT_EQ(partition.out_.halts.size(), 1U);
  for (int i = 0; i < 5; ++i) {
    partition.apply(leak);
    EXPECT_TRUE(partition.out_.halts.empty()) << "a producer's retry";
  }
  partition.apply(step(R"("event_id":"e2")"));
  EXPECT_EQ(partition.steps(), 2);
  EXPECT_EQ(partition.ingest_.totals().duplicates, 5);
}

TEST(Fault, F49_TasksThatNeverOpenedOrOpenedTwice) {
  Partition partition;
  const auto event = [](const std::string& type, const std::string& task, const std::string& more = {}) {
    return R"({"type":")" + type + R"(","correlation_id":")" + task + R"(","env":"prod","agent":"support")" + more +
           "}";
  };
  EXPECT_EQ(partition.apply(event("task.heartbeat", "never-opened")), "");
  EXPECT_EQ(partition.apply(event("task.finished", "ended-first", R"(,"outcome":"completed")")), "");
  EXPECT_EQ(partition.apply(event("task.started", "ended-first")), "");
  EXPECT_EQ(partition.apply(event("task.started", "twice"), {}, 2s), "");
  partition.steps(2min);
  EXPECT_EQ(partition.apply(event("task.started", "twice"), {}, 2min + 1s), "");
  partition.cuts_.clear();
  partition.steps(20min);
  std::vector<std::string> over;
  for (const Cut& cut : partition.cuts_) {
    for (const TaskNews& news : cut.block.tasks) {
      EXPECT_EQ(news.kind, TaskNews::Kind::over);
      over.push_back(news.group.substr(news.group.rfind('\0') + 1) + " @" + to_text(cut.grid - at(0s)));
    }
  }
  // Five minutes after its first sign; the second start moved nothing, and what ended before its start is over.
  EXPECT_EQ(over, (std::vector<std::string>{"never-opened @5m10s", "twice @5m10s"}));
}

}  // namespace input_faults_test
}  // namespace tocsin
