#include "simulation/sim_log.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace tocsin::sim {

namespace {
constexpr std::size_t active = 20;
}

std::int64_t PartitionLog::append(std::string key, std::string value, RecordTime time, std::int64_t producer,
                                  Duration now) {
  const auto state = producer == no_producer ? Entry::State::committed : Entry::State::open;
  if (producer != no_producer) open_since_.try_emplace(producer, end_);
  entries_.push_back({end_, producer, state, std::move(key), std::move(value), time, now});
  return end_++;
}

void PartitionLog::settle(std::int64_t producer, bool commit, Duration now) {
  const auto open = open_since_.find(producer);
  if (open != open_since_.end()) {
    for (std::size_t i = find(open->second); i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (entry.producer != producer || entry.state != Entry::State::open) continue;
      entry.state = commit ? Entry::State::committed : Entry::State::aborted;
      if (!commit) entry.value.clear();
    }
    open_since_.erase(open);
  }
  entries_.push_back({end_++, producer, Entry::State::marker, {}, {}, {now}, now});
}

std::int64_t PartitionLog::stable_end() const {
  std::int64_t stable = end_;
  for (const auto& [producer, first] : open_since_) stable = std::min(stable, first);
  return stable;
}

std::size_t PartitionLog::find(std::int64_t offset) const {
  // Without gaps an entry's place follows from its offset; with them it lies before that.
  const std::int64_t first = entries_.empty() ? 0 : entries_.front().offset;
  const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(offset - first, 0, std::ssize(entries_)));
  if (most < entries_.size() && entries_[most].offset == offset) return most;
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(most);
  return static_cast<std::size_t>(
      std::lower_bound(entries_.begin(), end, offset,
                       [](const Entry& entry, std::int64_t wanted) { return entry.offset < wanted; }) -
      entries_.begin());
}

void PartitionLog::compact(Duration tombstones_before) {
  if (entries_.size() <= active) return;
  const std::int64_t stable = stable_end();
  const std::size_t newest = entries_.size() - active;
  std::unordered_set<std::string_view> seen;
  std::vector<bool> goes(entries_.size(), false);
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const Entry& entry = entries_[i];
    if (entry.offset >= stable) continue;
    if (entry.state != Entry::State::committed) {
      goes[i] = i < newest;
      continue;
    }
    const bool is_last = seen.insert(entry.key).second;
    const bool is_old_tombstone = entry.value.empty() && entry.appended_at < tombstones_before;
    goes[i] = i < newest && (!is_last || is_old_tombstone);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (goes[i]) continue;
    if (kept != i) entries_[kept] = std::move(entries_[i]);
    ++kept;
  }
  entries_.resize(kept);
}

void PartitionLog::retain(Duration since) {
  const std::int64_t stable = stable_end();
  const auto first = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.appended_at >= since || entry.offset >= stable;
  });
  entries_.erase(entries_.begin(), first);
  begin_ = entries_.empty() ? end_ : std::max(begin_, entries_.front().offset);
}

}  // namespace tocsin::sim
