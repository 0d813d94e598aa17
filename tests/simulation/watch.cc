#include "simulation/watch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

#include "base/time_text.h"
#include "core/alert/alert_change.h"
#include "core/halt/halt_record.h"
#include "core/stage/block_codec.h"
#include "core/stage/ingest_state.h"
#include "ports/source_mark.h"

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr std::string_view stalled = "SourcePartitionsStalled";

std::string labels_of(const std::vector<GroupField>& fields, const GroupKey& group) {
  std::map<std::string, std::string> labels;
  std::size_t begin = 0;
  for (const GroupField& field : fields) {
    const std::size_t end = std::min(group.find('\0', begin), group.size());
    labels[label_name(field)] = group.substr(begin, end - begin);
    begin = end + 1;
  }
  std::string text;
  for (const auto& [name, value] : labels) text += (text.empty() ? "" : " ") + name + "=" + value;
  return text;
}

std::string text_of(const PageName& name) {
  return name.alert + " {" + name.labels + "} episode " + std::to_string(name.episode) +
         (name.firing ? " firing" : " resolved");
}

// The name of a page, by what it says and by its id.
PageName name_of(const Json& data, const std::string& page_id) {
  PageName name;
  name.alert = data.at("alert");
  const bool is_folded = name.alert == "TaskOverrun";
  for (const auto& [label, value] : data.at("labels").items()) {
    if (label == "severity" || (is_folded && label == "correlation_id")) continue;
    name.labels += (name.labels.empty() ? "" : " ") + label + "=" + value.get<std::string>();
  }
  const std::size_t first = page_id.find(':'), second = page_id.rfind(':');
  name.episode = std::stoll(page_id.substr(first + 1, second - first - 1));
  name.firing = page_id.substr(second + 1) == "firing";
  return name;
}

std::int64_t number_in(const std::string& text, std::size_t place) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < place; ++i) {
    begin = text.find(' ', begin);
    if (begin == std::string::npos) return 0;
    ++begin;
  }
  std::int64_t number = 0;
  std::from_chars(text.data() + begin, text.data() + text.size(), number);
  return number;
}

}  // namespace

void Watch::fail(const std::string& invariant, const std::string& what) {
  if (has_failed()) return;
  invariant_ = invariant;
  failure_ = invariant + ": " + what + " (at " + to_rfc3339(EventTime{cluster_.scheduler().now()}) + ")";
  cluster_.scheduler().trace("BROKEN " + failure_);
}

void Watch::expect_secrets(const std::vector<std::string>& secrets) {
  secrets_ = secrets;
}

void Watch::look_for_secrets(std::string_view text, const std::string& where) {
  static const std::string begin = std::string("AK") + "IA";
  for (std::size_t at = text.find(begin); at != std::string_view::npos; at = text.find(begin, at + 1)) {
    for (const std::string& secret : secrets_) {
      if (text.substr(at).starts_with(secret)) fail("I10", "a secret stands in " + where);
    }
  }
}

void Watch::on_append(TopicPartition of, const Entry& entry) {
  if (of.topic == Topic::source) return;
  look_for_secrets(entry.value, "topic " + std::string(tocsin::name_of(of.topic)));
  look_for_secrets(entry.key, "a key of topic " + std::string(tocsin::name_of(of.topic)));
  if (of.topic == Topic::halts) {
    if (const auto halt = halt_from_json(entry.value)) halt_ids_.insert(halt->id);
  } else if (of.topic == Topic::findings) {
    const auto finding = decode_finding(entry.value);
    if (!finding) fail("I4", "a finding can't be read");
    if (finding && finding->halt && !halt_ids_.contains(finding->halt->id)) {
      fail("I4", "a finding tells of a halt that is not in its topic");
    }
  } else if (of.topic == Topic::outbox) {
    if (const std::string id = page_id_in(entry.value); !id.empty()) page_partitions_[id] = of.partition;
  } else if (of.topic == Topic::page_status && !entry.value.empty()) {
    statuses_.try_emplace(entry.key.substr(entry.key.rfind(' ') + 1),
                          Settled{of, entry.offset, cluster_.scheduler().now()});
  }
}

std::int32_t Watch::outbox_partition_of(const std::string& page_id) const {
  const auto found = page_partitions_.find(page_id);
  return found == page_partitions_.end() ? -1 : found->second;
}

void Watch::on_position(const std::string& group, const BusPosition* before, const BusPosition& now) {
  if (before == nullptr) return;
  const std::string where =
      group + " " + std::string(tocsin::name_of(now.of.topic)) + "/" + std::to_string(now.of.partition);
  if (now.next_offset < before->next_offset) {
    fail("I7", where + " goes back from offset " + std::to_string(before->next_offset) + " to " +
                   std::to_string(now.next_offset));
  }
  if (now.of.topic == Topic::source) {
    const auto old_position = read_position(split_mark(before->metadata).second);
    const auto new_position = read_position(split_mark(now.metadata).second);
    if (!old_position || !new_position) return fail("I7", where + ": a position can't be read");
    if (new_position->log_time < old_position->log_time) fail("I7", where + ": log time goes back");
    if (new_position->next_grid < old_position->next_grid) fail("I7", where + ": the grid goes back");
  }
  if (now.of.topic == Topic::blocks && number_in(now.metadata, 2) < number_in(before->metadata, 2)) {
    fail("I7", where + ": the evaluated grid goes back");
  }
}

void Watch::on_attempt(Process& by, const std::string& page_id) {
  const std::int32_t partition = outbox_partition_of(page_id);
  if (partition < 0) return fail("I2", "an attempt for a page that is in no outbox");
  const ClientPointer owner = cluster_.owner("deliver-pager", {Topic::outbox, partition});
  const Duration now = cluster_.scheduler().now();
  if (owner && owner->process.get() != &by && now - owner->assigned_at > 500ms) {
    fail("I5", "an attempt by a process that does not own the page any more");
  }
  // Whoever has taken the partition over since has read that it is settled.
  const auto status = statuses_.find(page_id);
  if (status == statuses_.end() || !owner || owner->process.get() != &by) return;
  const PartitionLog& log = cluster_.log(status->second.in);
  const std::size_t place = log.find(status->second.offset);
  const bool is_written = place < log.entries().size() && log.entries()[place].offset == status->second.offset &&
                          log.entries()[place].state == Entry::State::committed;
  if (is_written && owner->assigned_at > status->second.at + 100ms) {
    fail("I3", "a page that a former owner has settled is sent once more");
  }
}

void Watch::take_blocks() {
  for (std::int32_t place = 0; place < cluster_.partitions(Topic::blocks); ++place) {
    const PartitionLog& log = cluster_.log({Topic::blocks, place});
    const std::int64_t stable = log.stable_end();
    for (std::size_t i = log.find(taken_[place]); i < log.entries().size(); ++i) {
      const Entry& entry = log.entries()[i];
      if (entry.offset >= stable) break;
      if (entry.state != Entry::State::committed || copies_.contains({place, entry.offset})) continue;
      const auto block = decode_block(entry.value);
      if (!block) {
        fail("I6", "a block can't be read");
        continue;
      }
      note_block(place, *block);
    }
    taken_[place] = std::max(taken_[place], stable);
  }
}

void Watch::note_block(std::int32_t place, const Block& block) {
  if (block.parts > 1) return fail("I6", "a block in parts");
  if (!seen_blocks_.emplace(place, block.partition, block.grid.since_epoch.count()).second) {
    return fail("I6", "a second block of source partition " + std::to_string(block.partition) + " at " +
                          to_rfc3339(block.grid));
  }
  FirstBlock& first = blocks_[block.partition][block.grid];
  first.records += block.records;
  first.idle = block.idle;
  if (block.past.is_last) first.past_of = block.past.epoch;
  first.owes_past_of = block.owes_past_of;
  ++first.places;
  for (const Cell& cell : block.cells) {
    for (const Rule& rule : rules_.rules) {
      if (rule.values.empty() || rule.values[0].aggregate != cell.aggregate) continue;
      Sum& sum =
          sums_[{block.partition, rule.name, labels_of(rule.group_by, cell.group), block.grid.since_epoch.count()}];
      sum.sum += cell.totals.sum;
      sum.count += cell.totals.count;
    }
  }
}

std::vector<SourcePartition> Watch::source(Duration clock_ahead, Coverage& coverage) {
  std::vector<SourcePartition> list;
  for (std::int32_t p = 0; p < cluster_.partitions(Topic::source); ++p) {
    SourcePartition partition;
    for (const Entry& entry : cluster_.log({Topic::source, p}).entries()) {
      partition.records.push_back({entry.time, entry.appended_at, entry.key, entry.value});
    }
    auto& blocks = blocks_[p];
    // Of the last transaction, some partitions may have their markers already.
    while (!blocks.empty() && blocks.rbegin()->second.places < cluster_.partitions(Topic::blocks)) {
      blocks.erase(std::prev(blocks.end()));
    }
    if (blocks.empty()) {
      fail("I8", "source partition " + std::to_string(p) + " has closed nothing");
      return {};
    }
    partition.first_grid = blocks.begin()->first;
    partition.last_grid = blocks.rbegin()->first;
    std::int64_t read = 0;
    RecordTime expected = partition.first_grid;
    for (const auto& [grid, block] : blocks) {
      if (grid != expected) {
        fail("I6", "source partition " + std::to_string(p) + " has no block of " + to_rfc3339(expected));
        return {};
      }
      expected = expected + 10s;
      read += block.records;
      partition.reads[grid] = read;
      if (!block.idle) continue;
      ++coverage["slices closed by silence"];
      partition.idle.push_back({grid, read});
      const bool is_all =
          read >= std::ssize(partition.records) ||
          partition.records[static_cast<std::size_t>(read)].arrived >= grid.since_epoch + 3s - clock_ahead;
      if (!is_all) {
        fail("idle", "source partition " + std::to_string(p) + " was closed at " + to_rfc3339(grid) +
                         " by silence, though record " + std::to_string(read) + " had come");
      }
    }
    list.push_back(std::move(partition));
  }
  return list;
}

// From when to when Recent was in force, and when its past had come: one past is taken at a grid time, the oldest
// epoch's first, once no partition owes it or an older one.
std::vector<RecentRun> Watch::recent_runs(const RuleEpochs& epochs, Coverage& coverage) const {
  std::map<RecordTime, std::map<std::int32_t, FirstBlock>> by_grid;
  for (const auto& [partition, blocks] : blocks_) {
    for (const auto& [grid, block] : blocks) by_grid[grid][partition] = block;
  }
  std::map<std::int64_t, std::set<std::int32_t>> given;
  std::map<std::int64_t, std::pair<RecordTime, std::set<std::int32_t>>> taken;
  for (const auto& [grid, blocks] : by_grid) {
    for (const auto& [partition, block] : blocks) {
      if (block.past_of != 0) given[block.past_of].insert(partition);
    }
    if (given.empty()) continue;
    const std::int64_t first = given.begin()->first;
    const bool is_owed = std::any_of(blocks.begin(), blocks.end(), [&](const auto& entry) {
      return entry.second.owes_past_of != 0 && entry.second.owes_past_of <= first;
    });
    if (is_owed) continue;
    taken[first] = {grid, given.begin()->second};
    given.erase(given.begin());
  }
  coverage["pasts of new aggregates"] += std::ssize(taken);
  std::vector<RecentRun> runs;
  bool goes_on = false;
  for (std::int64_t number = 0; number <= epochs.newest().number; ++number) {
    const RuleEpoch* const epoch = epochs.numbered(number);
    if (epoch == nullptr) continue;
    const bool has_it = epoch->rules->find("Recent") != nullptr;
    if (goes_on && !has_it) runs.back().end = epoch->from;
    if (has_it && !goes_on) {
      RecentRun& run = runs.emplace_back();
      run.from = epoch->from;
      run.from_the_beginning = number == 0;
      if (const auto past = taken.find(number); past != taken.end()) {
        run.past_at = past->second.first;
        run.past_of = past->second.second;
      }
    }
    goes_on = has_it;
  }
  return runs;
}

// The last grid time that all partitions have evaluated and committed.
RecordTime Watch::evaluated() const {
  RecordTime least{Duration{INT64_MAX}};
  for (std::int32_t q = 0; q < cluster_.partitions(Topic::blocks); ++q) {
    const auto position = cluster_.position("evaluate", {Topic::blocks, q});
    least = std::min(least, RecordTime{Duration{position ? number_in(position->metadata, 2) : 0}});
  }
  return least;
}

void Watch::check(const SimPager& pager, const RuleEpochs& epochs, Duration clock_ahead, Coverage& coverage) {
  take_blocks();
  const auto partitions = source(clock_ahead, coverage);
  if (has_failed()) return;
  const RecordTime until = evaluated();
  const std::vector<RecentRun> runs = recent_runs(epochs, coverage);
  if (!runs.empty() && !runs.back().end && !runs.back().from_the_beginning && runs.back().from + 3min <= until &&
      runs.back().past_of.size() != partitions.size()) {
    fail("I8", "the past of Recent, in force since " + to_rfc3339(runs.back().from) + ", has not come");
  }
  const PlainAnswer plain = read_plainly(partitions, runs, until);
  check_slices(plain, until, coverage);
  check_pages(plain, until, coverage);
  check_halts(plain, coverage);
  check_deliveries(pager, coverage);
  std::size_t states = 0;
  for (std::int32_t q = 0; q < cluster_.partitions(Topic::blocks); ++q) {
    std::set<std::string_view> keys;
    for (const Entry& entry : cluster_.log({Topic::states, q}).entries()) keys.insert(entry.key);
    states += keys.size();
  }
  if (states > 4'000) fail("I9", std::to_string(states) + " keys of state");
}

void Watch::check_slices(const PlainAnswer& plain, RecordTime until, Coverage& coverage) {
  const auto text = [](const auto& key) {
    return std::get<1>(key) + " {" + std::get<2>(key) + "} of source partition " + std::to_string(std::get<0>(key)) +
           " at " + to_rfc3339(RecordTime{Duration{std::get<3>(key)}});
  };
  coverage["slices of series"] += std::ssize(sums_);
  for (const auto& [key, sum] : sums_) {
    if (std::get<3>(key) > until.since_epoch.count()) continue;
    const auto found = plain.slices.find(key);
    if (found == plain.slices.end()) return fail("I6", "nothing belongs to " + text(key));
    if (found->second != sum) {
      return fail("I6", text(key) + " holds " + std::to_string(sum.sum) + "/" + std::to_string(sum.count) +
                            ", and not " + std::to_string(found->second.sum) + "/" +
                            std::to_string(found->second.count));
    }
  }
  for (const auto& [key, sum] : plain.slices) {
    if (!sums_.contains(key)) return fail("I6", "nothing was counted of " + text(key));
  }
}

void Watch::check_pages(const PlainAnswer& plain, RecordTime until, Coverage& coverage) {
  std::map<PageName, OutboxPageSeen> pages;
  std::map<std::string, std::pair<std::string, std::string>> alerts;  // what an alert id is of
  for (std::int32_t o = 0; o < cluster_.partitions(Topic::outbox); ++o) {
    for (const Entry& entry : cluster_.log({Topic::outbox, o}).entries()) {
      if (entry.state != Entry::State::committed) continue;
      const Json json = Json::parse(entry.value, nullptr, false);
      if (!json.is_object()) continue;
      const std::string id = json.at("data").at("page_id");
      const PageName name = name_of(json.at("data"), id);
      const RecordTime at = as_record_time(*parse_rfc3339(json.at("timestamp").get<std::string>()));
      if (!pages.try_emplace(name, OutboxPageSeen{id, at, entry.offset}).second) {
        return fail("I3", text_of(name) + " stands in the outbox twice");
      }
      const auto alert = alerts.try_emplace(id.substr(0, id.find(':')), name.alert, name.labels).first->second;
      if (alert != std::pair(name.alert, name.labels)) return fail("I3", "one alert id for two alerts");
    }
  }
  for (const auto& [name, page] : pages) {
    ++coverage[name.alert + (name.firing ? " fires" : " resolves")];
    if (name.alert == stalled) {
      // Of when processes ran, which a plain reading can't know; but it ends once all of them read again.
      PageName other = name;
      other.firing = !name.firing;
      if (!pages.contains(other) && !(name.firing && page.at.since_epoch > cluster_.scheduler().now() - 1min)) {
        return fail("I2", text_of(name) + " at " + to_rfc3339(page.at) + " stands alone");
      }
      continue;
    }
    const bool is_event = name.alert == "SecretLeak" || name.alert == "Refusal";
    if (is_event && name.firing ? page.at >= until : page.at > until) continue;
    const auto found = plain.pages.find(name);
    if (found == plain.pages.end())
      return fail("I2", text_of(name) + " at " + to_rfc3339(page.at) + " should not be");
    if (!(is_event && name.firing) && found->second != page.at) {
      return fail("I1",
                  text_of(name) + " is of " + to_rfc3339(page.at) + ", and not of " + to_rfc3339(found->second));
    }
  }
  for (const auto& [name, at] : plain.pages) {
    if (!pages.contains(name)) return fail("I1", text_of(name) + " at " + to_rfc3339(at) + " is missing");
  }
}

void Watch::check_halts(const PlainAnswer& plain, Coverage& coverage) {
  std::map<std::string, std::set<std::string>> ids, secrets;  // by scope
  for (const auto& [scope, secret] : plain.halts) secrets[scope].insert(secret);
  for (const Entry& entry : cluster_.log({Topic::halts, 0}).entries()) {
    if (entry.value.empty()) continue;
    const auto halt = halt_from_json(entry.value);
    if (!halt) return fail("I4", "a halt can't be read");
    ids[halt->scope].insert(halt->id);
  }
  coverage["halts"] += std::ssize(ids);
  for (const auto& [scope, all] : ids) {
    if (all.size() != secrets[scope].size()) {
      return fail("I4", scope + " has " + std::to_string(all.size()) + " halts, and not " +
                            std::to_string(secrets[scope].size()));
    }
  }
  for (const auto& [scope, all] : secrets) {
    if (!ids.contains(scope)) return fail("I4", scope + " has no halt");
  }
}

void Watch::check_deliveries(const SimPager& pager, Coverage& coverage) {
  std::map<std::string, std::size_t> first, last;  // by page id
  for (std::size_t i = 0; i < pager.journal.size(); ++i) {
    first.try_emplace(pager.journal[i].page_id, i);
    if (pager.journal[i].was_frozen) ++coverage["pages that were frozen on their way"];
    if (!pager.journal[i].was_frozen || !last.contains(pager.journal[i].page_id)) last[pager.journal[i].page_id] = i;
  }
  coverage["pages that arrived"] += std::ssize(first);
  coverage["pages that arrived again"] += std::ssize(pager.journal) - std::ssize(first);
  const Duration settled = cluster_.scheduler().now() - 30s;
  for (std::int32_t o = 0; o < cluster_.partitions(Topic::outbox); ++o) {
    std::map<std::string, std::string> before;  // the page before, by alert id
    for (const Entry& entry : cluster_.log({Topic::outbox, o}).entries()) {
      if (entry.state != Entry::State::committed) continue;
      const std::string id = page_id_in(entry.value);
      if (id.empty()) continue;
      if (!first.contains(id)) {
        if (entry.appended_at > settled) continue;
        return fail("I3", "page " + id + " never reached the receiver");
      }
      std::string& earlier = before[id.substr(0, id.find(':'))];
      if (!earlier.empty() && (first[earlier] > first[id] || last[earlier] > last[id])) {
        return fail("I5", "page " + earlier + " arrived behind the later " + id);
      }
      earlier = id;
    }
  }
}

}  // namespace tocsin::sim
