// Services are upgraded process by process, so each release reads the topics of the one before it and of the one
// after it.
//
// records_before/records.txt holds what the release before wrote in the scene below. When a release is made, its own
// take their place: TOCSIN_WRITE_RECORDS=PATH tocsin_tests --gtest_filter=RollingUpgrade.*

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "base/hash.h"
#include "base/wire.h"
#include "core/alert/acceptance.h"
#include "core/alert/silence.h"
#include "core/halt/ack_watch.h"
#include "core/halt/halt_book.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/ingest_state.h"
#include "core/stage/record_rules.h"
#include "core/test_support.h"
#include "runtime/page_status.h"

namespace tocsin {
namespace rolling_upgrade_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;

// What stands in the topics, and the positions that were committed with it.
struct Topics {
  std::map<std::string, std::string> tasks, states;
  std::vector<std::string> blocks, findings;
  std::string ingest_position, evaluate_position;
  std::int64_t next_offset = 0;
};

std::unique_ptr<IngestPartition> new_ingest(const std::shared_ptr<const RuleSet>& rules) {
  IngestOptions options;
  options.deployment = "eu1";
  options.halts.enforce = true;
  return std::make_unique<IngestPartition>(options, rules, test::shipped_patterns(),
                                           Fingerprinter(std::vector<unsigned char>(32, 7)));
}

std::unique_ptr<EvaluatePartition> new_evaluate(const std::shared_ptr<const RuleSet>& rules) {
  EvaluateOptions options;
  options.deployment = "eu1";
  options.source_partitions = 1;
  options.keeps_state = true;
  return std::make_unique<EvaluatePartition>(options, rules);
}

// The two stages over the topics: they may be new, or restored.
class Process {
 public:
  void event(Duration time, const std::string& type, const std::string& task, const std::string& more = {}) {
    const std::string json = R"({"type":")" + type + R"(","time":")" + test::text_at(time) +
                             R"(","correlation_id":")" + task + R"(","env":"prod","agent":"support","model":"m-1")" +
                             (more.empty() ? "" : "," + more) + "}";
    RawRecord record;
    record.key = task;
    record.value = json;
    record.time = at(time);
    record.offset = topics.next_offset++;
    ingest->apply(record, out_);
    take();
  }
  void leak(Duration time, const std::string& task) {
    event(time, "step", task, R"("content":"AKIAQ3EGRIFY7WQ2ZB5K")");
  }
  void close(Duration until) {
    ingest->close_until(at(until), out_);
    take();
  }

  void commit() {
    std::vector<StateRecord> changes;
    ingest->take_changes(changes);
    store(changes, topics.tasks);
    evaluate->take_changes(changes);
    store(changes, topics.states);
    topics.ingest_position = ingest->position();
    topics.evaluate_position = evaluate->position();
  }

  void restore(const Topics& from) {
    topics = from;
    for (const auto& [key, value] : from.tasks) ASSERT_TRUE(ingest->restore(key, value)) << key;
    ASSERT_TRUE(ingest->resume(from.ingest_position, from.next_offset));
    for (const auto& [key, value] : from.states) ASSERT_TRUE(evaluate->restore(key, value)) << key;
    ASSERT_TRUE(evaluate->begin_resume(from.evaluate_position));
    for (const std::string& bytes : from.blocks) {
      auto block = decode_block(bytes);
      ASSERT_TRUE(block);
      if (block->grid > evaluate->needs_blocks_after()) evaluate->resume(*std::move(block));
    }
    std::vector<AlertChange> none;
    evaluate->end_resume(none);
    EXPECT_TRUE(none.empty());
  }

  std::vector<std::string> take_news() { return std::exchange(news_, {}); }

  std::shared_ptr<const RuleSet> rules = test::rules_from(test::record_rules);
  std::unique_ptr<IngestPartition> ingest = new_ingest(rules);
  std::unique_ptr<EvaluatePartition> evaluate = new_evaluate(rules);
  Topics topics;

 private:
  void take() {
    std::vector<AlertChange> changes;
    for (const UrgentFinding& finding : out_.findings) {
      const std::string bytes = encode(finding);
      news_.push_back("finding" + std::string(finding.is_repeat ? " again" : ""));
      evaluate->apply(*decode_finding(bytes), changes);
      topics.findings.push_back(bytes);
    }
    for (const Cut& cut : out_.cuts) {
      const std::string bytes = encode(cut.block);
      evaluate->apply(*decode_block(bytes), changes);
      const Block& block = cut.block;
      if (!block.cells.empty() || !block.sightings.empty() || !block.tasks.empty() || !block.findings.empty()) {
        topics.blocks.push_back(bytes);
      }
    }
    for (const AlertChange& change : changes) {
      news_.push_back(change.alert + (change.firing ? " firing " : " resolved ") + std::to_string(change.episode) +
                      (change.sends_page ? " pages" : ""));
    }
    out_.clear();
  }
  static void store(std::vector<StateRecord>& changes, std::map<std::string, std::string>& into) {
    for (StateRecord& change : changes) {
      if (change.value.empty()) {
        into.erase(change.key);
      } else {
        into[change.key] = std::move(change.value);
      }
    }
    changes.clear();
  }

  IngestOutput out_;
  std::vector<std::string> news_;
};

// Two hours in which everything that is stored comes to be.
Topics scene() {
  Process process;
  process.event(1s, "task.started", "open", R"("event_id":"e-1")");
  process.event(2s, "task.started", "late");
  for (int i = 0; i < 4; ++i) process.event(3s, "tool.call", "open", R"("error_type":"timeout")");
  process.close(20min);
  process.event(20min, "task.finished", "late", R"("outcome":"completed")");
  process.leak(21min, "leaky");
  process.close(125min);
  for (int i = 0; i < 4; ++i) process.event(125min, "tool.call", "open", R"("error_type":"timeout")");
  process.close(125min + 10s);
  process.commit();
  return process.topics;
}

// What a process does that takes over from there.
std::vector<std::string> take_over(const Topics& topics, Topics* after = nullptr) {
  Process process;
  process.restore(topics);
  if (testing::Test::HasFatalFailure()) return {};
  EXPECT_EQ(process.ingest->open_tasks(), 2U);
  EXPECT_EQ(process.evaluate->active().size(), 4U) << "Errors, Leak, and Over for both tasks";
  EXPECT_GE(process.evaluate->series().used, 1U);
  process.event(125min + 11s, "task.started", "open", R"("event_id":"e-1")");  // a duplicate
  process.leak(125min + 12s, "leaky");
  process.event(125min + 13s, "task.finished", "open", R"("outcome":"completed")");
  process.event(125min + 13s, "task.finished", "leaky", R"("outcome":"completed")");
  process.close(140min);
  process.commit();
  if (after != nullptr) *after = process.topics;
  return process.take_news();
}

const std::vector<std::string> expected{"finding again", "Over resolved 1", "Over resolved 1 pages",
                                        "Errors resolved 2 pages"};

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text.empty() ? "-" : text;
}
std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

void write(const Topics& topics, const std::string& path) {
  std::ofstream out(path);
  for (const auto& [key, value] : topics.tasks) out << "task " << hex(key) << " " << hex(value) << "\n";
  for (const auto& [key, value] : topics.states) out << "state " << hex(key) << " " << hex(value) << "\n";
  for (const std::string& block : topics.blocks) out << "block " << hex(block) << "\n";
  for (const std::string& finding : topics.findings) out << "finding " << hex(finding) << "\n";
  out << "ingest " << topics.next_offset << " " << hex(topics.ingest_position) << "\n";
  out << "evaluate " << hex(topics.evaluate_position) << "\n";
}

Topics records_before() {
  Topics topics;
  std::istringstream in(test::file_text("tests/core/stage/records_before/records.txt"));
  for (std::string kind, first, second; in >> kind >> first;) {
    if (kind == "task" || kind == "state" || kind == "ingest") in >> second;
    if (kind == "task") topics.tasks[bytes_of(first)] = bytes_of(second);
    if (kind == "state") topics.states[bytes_of(first)] = bytes_of(second);
    if (kind == "block") topics.blocks.push_back(bytes_of(first));
    if (kind == "finding") topics.findings.push_back(bytes_of(first));
    if (kind == "ingest") topics.next_offset = std::stoll(first);
    if (kind == "ingest") topics.ingest_position = bytes_of(second);
    if (kind == "evaluate") topics.evaluate_position = bytes_of(first);
  }
  return topics;
}

// As the next release might write it: two fields more in each record, behind all sections that this one knows.
std::string of_next_release(const std::string& record, std::size_t known = 0) {
  const wire::Parts parts = *wire::parts_of(record);
  std::string sections(parts.sections);
  for (std::string_view own = sections; known > 0; --known) {
    if (own.empty()) {
      wire::append_section(sections, {});
    } else {
      wire::next_section(own);
    }
  }
  wire::append_section(sections, "a new field");
  wire::append_section(sections, std::string("\0\x80\xff", 3));
  return wire::join(parts.record, sections);
}

std::size_t known_sections(std::string_view key) {
  return key.starts_with(task_prefix) ? task_sections : evaluate_sections(key);
}

Topics records_after(Topics topics) {
  for (auto& [key, value] : topics.tasks) value = of_next_release(value, known_sections(key));
  for (auto& [key, value] : topics.states) value = of_next_release(value, known_sections(key));
  for (std::string& block : topics.blocks) block = of_next_release(block);
  for (std::string& finding : topics.findings) finding = of_next_release(finding);
  topics.ingest_position += " 17 -4";
  topics.evaluate_position += " 17 -4";
  return topics;
}

TEST(RollingUpgrade, TheSceneMakesEveryKindOfRecord) {
  const Topics topics = scene();
  if (const char* path = std::getenv("TOCSIN_WRITE_RECORDS")) write(topics, path);
  const Topics before = records_before();
  for (const Topics* one : {&topics, &before}) {
    for (const std::string_view prefix : {task_prefix, halt_prefix, identities_prefix}) {
      EXPECT_TRUE(std::any_of(one->tasks.begin(), one->tasks.end(), [&](const auto& entry) {
        return entry.first.starts_with(prefix);
      })) << prefix;
    }
    for (const std::string_view prefix : {series_prefix, versions_prefix, window_prefix, overrun_prefix,
                                          folding_prefix, episode_prefix, event_prefix}) {
      EXPECT_TRUE(std::any_of(one->states.begin(), one->states.end(), [&](const auto& entry) {
        return entry.first.starts_with(prefix);
      })) << prefix;
    }
    EXPECT_FALSE(one->blocks.empty() || one->findings.empty());
  }
  EXPECT_EQ(take_over(topics), expected);
}

TEST(RollingUpgrade, TheTopicsOfTheReleaseBeforeAreRead) {
  const Topics before = records_before();
  for (const std::string& bytes : before.findings) {
    const auto finding = decode_finding(bytes);
    ASSERT_TRUE(finding);
    EXPECT_EQ(finding->rule_name, "Leak");
    EXPECT_EQ(finding->correlation_id, "leaky");
    ASSERT_TRUE(finding->halt);
    EXPECT_EQ(finding->halt->scope, "task:leaky");
  }
  EXPECT_EQ(take_over(before), expected);
}

TEST(RollingUpgrade, TheTopicsOfTheReleaseAfterAreReadAndWhatItAddedIsKept) {
  const Topics now = scene();
  for (const std::string& bytes : now.findings) {
    const auto finding = decode_finding(of_next_release(bytes));
    ASSERT_TRUE(finding);
    EXPECT_EQ(encode(*finding), bytes);
  }
  Topics plain, kept;
  EXPECT_EQ(take_over(now, &plain), expected);
  EXPECT_EQ(take_over(records_after(now), &kept), expected);
  std::size_t rewritten = 0;
  for (const auto topic : {&Topics::tasks, &Topics::states}) {
    ASSERT_EQ((kept.*topic).size(), (plain.*topic).size());
    for (const auto& [key, value] : plain.*topic) {
      const std::string& other = (kept.*topic)[key];
      // Records that only this release wrote have nothing more.
      const bool was_there = (now.*topic).contains(key);
      EXPECT_EQ(other, was_there ? of_next_release(value, known_sections(key)) : value) << key;
      rewritten += was_there && (now.*topic).at(key) != value;
    }
  }
  EXPECT_GE(rewritten, 3U) << "or the test shows nothing";
}

TEST(RollingUpgrade, WhatWasTakenOffDoesNotOutliveItsKey) {
  const Topics now = scene();
  Process process;
  process.restore(records_after(now));
  process.event(126min, "task.finished", "open", R"("outcome":"completed")");
  process.close(24h * 30);
  process.commit();
  process.event(24h * 30 + 1s, "task.started", "open");
  process.close(24h * 30 + 10s);
  process.commit();
  EXPECT_EQ(process.topics.tasks.at("task/open")[0], 1) << "the version of a record without sections";
}

TEST(RollingUpgrade, AnotherVersionOrARecordCutShortIsRefusedWhateverStandsBehindIt) {
  const Topics now = scene();
  const std::string block = of_next_release(now.blocks.front());
  // Without the last sections it is a record of a release in between, or of one that knew none.
  const std::set<std::size_t> whole = test::sizes_between_sections(block);
  EXPECT_EQ(whole.size(), 7U) << "this release writes five, and the next another two";
  for (std::size_t size = 0; size < block.size(); ++size) {
    EXPECT_EQ(decode_block(block.substr(0, size)).has_value(), whole.contains(size)) << size;
  }
  EXPECT_FALSE(decode_block(block + '\x05'));
  std::string other = now.blocks.front();
  other[0] = 99;
  EXPECT_FALSE(decode_block(of_next_release(other)));
  EXPECT_FALSE(decode_block(wire::join(block, block.substr(block.size() - 4)))) << "sections do not nest";
  const auto ingest = new_ingest(test::rules_from(test::record_rules));
  EXPECT_FALSE(ingest->restore("task/open", of_next_release("\x63")));
  EXPECT_FALSE(ingest->restore("task/open", std::string("\0\x7f", 2)));
}

TEST(RollingUpgrade, JsonRecordsOfTheReleaseBeforeAndAfterAreRead) {
  const std::string halt =
      R"({"kind":"halt","halt_id":"aa","scope":"task:t1","state":"enforced","enforced":true,"rule":"Leak",)"
      R"("count":2,"first_at":"2026-01-05T00:00:00Z","last_at":"2026-01-05T00:00:00Z","expires_at":"2026-01-06T00:00:00Z"%})";
  const std::string release =
      R"({"kind":"release","halt_id":"aa","scope":"task:t1","by":"dana","reason":"r","at":"2026-01-05T01:00:00Z"%})";
  const std::string ack =
      R"({"kind":"halt_ack","halt_id":"aa","scope":"task:t1","by":"agent","at":"2026-01-05T00:00:01Z"%})";
  const std::string silence =
      R"({"kind":"silence","silence_id":"s1","matchers":["agent=a"],"from":"2026-01-05T00:00:00Z",)"
      R"("until":"2026-01-05T02:00:00Z","by":"dana","reason":"r","created_at":"2026-01-05T00:00:00Z"%})";
  const std::string acceptance =
      R"({"kind":"acceptance","acceptance_id":"a1","alert":"A","labels":{"agent":"a"},"by":"dana","reason":"r",)"
      R"("at":"2026-01-05T00:00:00Z"%})";
  const std::string status = R"({"receiver":"r","settled_by":"r","page_id":"p","state":"delivered","offset":7%})";
  const auto with = [](const std::string& record, const std::string& more) {
    std::string text = record;
    return text.replace(text.find('%'), 1, more);
  };
  const auto reads = [&](const std::string& more) {
    HaltBook book;
    AckWatch watch;
    return std::vector<bool>{book.apply("halt/task:t1/aa", with(halt, more)),
                             book.apply("release/task:t1/aa", with(release, more)),
                             watch.apply_halt("halt/task:t1/aa", with(halt, more), at(0s)),
                             watch.apply_ack(with(ack, more)),
                             silence_from_json(with(silence, more)).has_value(),
                             acceptance_from_json(with(acceptance, more)).has_value(),
                             page_status_from("r r p", with(status, more)).has_value()};
  };
  const std::vector<bool> all(7, true), none(7, false);
  EXPECT_EQ(reads(""), all) << "as the release before wrote them";
  EXPECT_EQ(reads(R"(,"version":1,"new":{"a":[1]})"), all);
  EXPECT_EQ(reads(R"(,"version":2)"), none);
  EXPECT_EQ(reads(R"(,"version":"1")"), none);

  // A silence is read and written again, when a person expires it.
  auto expired = *silence_from_json(with(silence, R"(,"version":1,"new":{"a":[1]},"old_name":null)"));
  expired.expired_at = event_at(1h);
  const std::string written = to_json(expired);
  EXPECT_NE(written.find(R"("new":{"a":[1]})"), std::string::npos) << written;
  EXPECT_NE(written.find(R"("old_name":null)"), std::string::npos) << written;
  EXPECT_EQ(to_json(*silence_from_json(written)), written);
}

}  // namespace rolling_upgrade_test
}  // namespace tocsin
