#include "core/alert/silence_book.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

constexpr std::size_t most_silences = 10'000;
// So that whoever asks after a weekend why nobody was paged still finds it.
constexpr Duration silence_remembered = std::chrono::days{5};

}  // namespace

bool SilenceBook::apply(std::string_view key, std::string_view value) {
  if (!key.starts_with(silence_prefix)) return false;
  const std::string_view id = key.substr(silence_prefix.size());
  const auto known = silences_.find(id);
  if (value.empty()) {
    if (known == silences_.end()) return true;
    silences_.erase(known);
    ++version_;
    return true;
  }
  auto silence = silence_from_json(value);
  if (!silence || silence->id != id) return false;
  if (known == silences_.end() && is_full()) return false;
  silences_.insert_or_assign(std::string(id), std::move(*silence));
  ++version_;
  return true;
}

const Silence* SilenceBook::covers(std::string_view alert, const Labels& labels, EventTime at) const {
  const Silence* last = nullptr;
  for (const auto& [id, silence] : silences_) {
    if (!silence.is_active(at) || (last != nullptr && silence.ends_at() <= last->ends_at())) continue;
    if (silence.matches(alert, labels)) last = &silence;
  }
  return last;
}

std::vector<Silence> SilenceBook::items() const {
  std::vector<Silence> items;
  for (const auto& [id, silence] : silences_) items.push_back(silence);
  std::stable_sort(items.begin(), items.end(),
                   [](const Silence& a, const Silence& b) { return a.created_at > b.created_at; });
  return items;
}

const Silence* SilenceBook::find(std::string_view id) const {
  const auto found = silences_.find(id);
  return found == silences_.end() ? nullptr : &found->second;
}

bool SilenceBook::is_full() const {
  return silences_.size() >= most_silences;
}

std::vector<std::string> SilenceBook::expire(EventTime now) {
  std::vector<std::string> keys;
  for (auto entry = silences_.begin(); entry != silences_.end();) {
    if (entry->second.ends_at() + silence_remembered > now) {
      ++entry;
      continue;
    }
    keys.push_back(entry->second.key());
    entry = silences_.erase(entry);
    ++version_;
  }
  return keys;
}

}  // namespace tocsin
