// Records of Tocsin's own topics, which another release, another process or an intruder may have written: each is
// read as it was written, or refused.

#include <nlohmann/json.hpp>

#include <string>

#include "app/shipped_files.h"
#include "core/alert/silence.h"
#include "core/alert/withheld_pages.h"
#include "core/halt/ack_watch.h"
#include "core/halt/halt_record.h"
#include "core/stage/block_codec.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/ingest_state.h"
#include "core/stage/record_rules.h"
#include "edge/pagerduty/pagerduty_event.h"
#include "fuzz/target.h"
#include "runtime/page_status.h"

namespace tocsin::fuzz {

namespace {

void block(std::string_view input) {
  const auto read = decode_block(input);
  if (!read) return;
  const std::string written = encode(*read);
  const auto again = decode_block(written);
  must_hold(again && encode(*again) == written, "a block comes back as it was written");
}

void finding(std::string_view input) {
  const auto read = decode_finding(input);
  if (!read) return;
  const std::string written = encode(*read);
  const auto again = decode_finding(written);
  must_hold(again && encode(*again) == written, "a finding comes back as it was written");
}

// The first byte chooses among `count` forms.
std::size_t take_choice(std::string_view& input, std::size_t count) {
  if (input.empty()) return 0;
  const std::size_t choice = static_cast<unsigned char>(input.front()) % count;
  input.remove_prefix(1);
  return choice;
}

std::shared_ptr<const RuleSet> rule_set() {
  static const auto loaded = [] {
    Diagnostics diagnostics;
    const NamedText file{"rules.yaml", std::string(test::record_rules)};
    auto rules = load_rules(std::span(&file, 1), diagnostics);
    must_hold(rules != nullptr, "the rules of this target load");
    return rules;
  }();
  return loaded;
}

void ingest_state(std::string_view input) {
  switch (take_choice(input, 4)) {
    case 0: {
      Task task, second;
      std::vector<std::uint64_t> fired, second_fired;
      if (!decode_task(input, task, fired)) return;
      const std::string written = encode(task, fired);
      must_hold(decode_task(written, second, second_fired) && encode(second, second_fired) == written,
                "a task comes back as it was written");
      return;
    }
    case 1: {
      const auto halt = decode_halt(input);
      if (!halt) return;
      const std::string written = encode(*halt);
      const auto again = decode_halt(written);
      must_hold(again && encode(*again) == written, "a known halt comes back as it was written");
      return;
    }
    case 2: {
      std::vector<std::uint64_t> storage, second;
      const auto page = decode_page("3", input, storage);
      if (!page) return;
      const std::string written = encode(*page);
      const auto again = decode_page("3", written, second);
      must_hold(again && encode(*again) == written, "a page of identities comes back as it was written");
      return;
    }
    default: {
      const auto position = read_position(input);
      if (!position) return;
      const std::string written = to_text(*position);
      const auto again = read_position(written);
      must_hold(again && to_text(*again) == written, "a position comes back as it was written");
      must_hold(written.size() <= most_position_bytes, "a position fits the metadata of an offset");
    }
  }
}

// Key and value stand behind each other, with a newline between them; the last line is the position.
void evaluate_state(std::string_view input) {
  EvaluateOptions options;
  options.keeps_state = true;
  EvaluatePartition partition(options, rule_set());
  static const std::string names[] = {std::string(series_prefix),
                                      std::string(versions_prefix),
                                      rule_key(window_prefix, "Errors", ""),
                                      rule_key(overrun_prefix, "Over", ""),
                                      rule_key(folding_prefix, "Over", ""),
                                      rule_key(episode_prefix, "Over", ""),
                                      rule_key(event_prefix, "Leak", ""),
                                      ""};
  const std::size_t choice = take_choice(input, 8);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string key = names[choice] + std::string(input.substr(0, end));
  input.remove_prefix(std::min(end + 1, input.size()));
  const bool taken = partition.restore(key, input);
  if (!partition.begin_resume(taken ? std::string_view("1 1767571200000 1767571200000 1767571200000") : input))
    return;
  std::vector<AlertChange> changes;
  partition.end_resume(changes);
  Block next;
  next.grid = RecordTime{Duration{1'767'571'200'000}} + slice_length;
  next.rule_set = rule_set()->hash;
  partition.apply(std::move(next), changes);
  partition.active();
  std::vector<StateRecord> records;
  partition.take_changes(records);
  EvaluatePartition second(options, rule_set());
  for (const StateRecord& record : records) {
    must_hold(second.restore(record.key, record.value), "what a partition stores it can restore");
  }
}

void json_record(std::string_view input) {
  switch (take_choice(input, 6)) {
    case 0: {
      const auto halt = halt_from_json(input);
      if (!halt) return;
      const std::string written = to_json(*halt);
      const auto again = halt_from_json(written);
      must_hold(again && to_json(*again) == written, "a halt comes back as it was written");
      return;
    }
    case 1: {
      const auto release = release_from_json(input);
      if (!release) return;
      const std::string written = to_json(*release);
      const auto again = release_from_json(written);
      must_hold(again && to_json(*again) == written, "a release comes back as it was written");
      return;
    }
    case 2: {
      AckWatch watch;
      watch.apply_ack(input);
      watch.advance(RecordTime{});
      return;
    }
    case 3: {
      const auto silence = silence_from_json(input);
      if (!silence) return;
      const std::string written = to_json(*silence);
      const auto again = silence_from_json(written);
      must_hold(again && to_json(*again) == written, "a silence comes back as it was written");
      silence->matches("Alert", {{"agent", "support"}});
      return;
    }
    case 4: {
      const auto status = page_status_from("receiver lane page", input);
      if (!status) return;
      const std::string written = to_json(*status, EventTime{});
      const auto again = page_status_from(status->key(), written);
      must_hold(again && to_json(*again, EventTime{}) == written, "a page's status comes back as it was written");
      return;
    }
    default: {
      page_id_in(input);
      WithheldPages pages;
      pages.restore("key", input);
      const auto event = to_pagerduty_event(input, "routing-key");
      if (!event) return;
      must_hold(event->size() <= most_event_bytes, "an event for PagerDuty fits");
      must_hold(nlohmann::json::accept(*event), "an event for PagerDuty is JSON");
    }
  }
}

// What was measured is written into a page: no text of it breaks out of the JSON.
void page(std::string_view input) {
  AlertChange change;
  change.alert = "Alert";
  change.alert_id = "id";
  change.page_id = "id:1:firing";
  const std::size_t half = input.size() / 2;
  const std::string first(input.substr(0, half)), second(input.substr(half));
  change.labels = {{"agent", first}, {first, second}};
  change.annotations = {{"summary", second}};
  change.reason = first;
  for (const std::string& text :
       {to_page_json(change), to_feed_json(change, "investigation"), to_replay_json(change)}) {
    must_hold(nlohmann::json::accept(text), "a page is JSON");
    must_hold(text.find_first_of("\r\n") == std::string::npos, "a page is one line");
  }
  must_hold(page_id_in(to_page_json(change)) == "id:1:firing", "a page's id is where it was put");
}

}  // namespace

std::vector<Target> record_targets() {
  return {{"block", block},
          {"finding", finding},
          {"ingest_state", ingest_state},
          {"evaluate_state", evaluate_state},
          {"json_record", json_record},
          {"page", page}};
}

}  // namespace tocsin::fuzz
