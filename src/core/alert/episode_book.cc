#include "core/alert/episode_book.h"

#include "base/wire.h"

namespace tocsin {

namespace {

constexpr std::uint64_t form = 1;  // version of the stored record

constexpr auto describe = [](auto& coder, auto& entry) {
  wire::pass(coder, entry.episode);
  wire::pass(coder, entry.at);
};

}  // namespace

void EpisodeBook::put_away(const std::string& key, std::int64_t episode, RecordTime now) {
  if (episode <= 0) return;
  if (const auto known = entries_.find(key); known != entries_.end()) remove(known);
  entries_.emplace(key, Entry{episode, now});
  by_time_.emplace(now, key);
  changed_.insert(key);
  if (entries_.size() > most_) {
    const std::string oldest = by_time_.begin()->second;
    changed_.insert(oldest);
    remove(entries_.find(oldest));
  }
}

std::int64_t EpisodeBook::take_out(const std::string& key) {
  const auto known = entries_.find(key);
  if (known == entries_.end()) return 0;
  const std::int64_t episode = known->second.episode;
  changed_.insert(key);
  remove(known);
  return episode;
}

void EpisodeBook::take_all() {
  for (const auto& [key, entry] : entries_) changed_.insert(key);
}

void EpisodeBook::remove(std::map<std::string, Entry, std::less<>>::iterator entry) {
  by_time_.erase({entry->second.at, entry->first});
  entries_.erase(entry);
}

std::string EpisodeBook::value_of(const std::string& key) const {
  const auto known = entries_.find(key);
  return known == entries_.end() ? std::string() : wire::write(known->second, form, describe);
}

bool EpisodeBook::restore(std::string_view key, std::string_view value) {
  if (const auto known = entries_.find(key); known != entries_.end()) remove(known);
  if (value.empty()) return true;
  Entry entry;
  if (!wire::read(value, form, entry, describe)) return false;
  by_time_.emplace(entry.at, key);
  entries_.emplace(key, entry);
  return true;
}

}  // namespace tocsin
