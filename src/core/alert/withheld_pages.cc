#include "core/alert/withheld_pages.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

// What comes on top is sent in spite of its silence: better a page too many than one that nobody keeps.
constexpr std::size_t most_pages = 10'000;
constexpr std::size_t most_bytes = 64 << 20;

std::string order_key_of(std::string_view dedup_key) {
  return std::string(dedup_key.substr(0, dedup_key.find(':')));
}

Page page_of(const AlertChange& change) {
  return {order_key_of(change.dedup_key), change.page_id.value_or(""), to_page_json(change)};
}

}  // namespace

std::optional<Page> WithheldPages::apply(const AlertChange& change, const SilenceBook& book) {
  if (!change.page_id) return std::nullopt;
  const auto withheld = pages_.find(change.dedup_key);
  if (!change.firing) {
    if (!change.sends_page) return std::nullopt;
    if (withheld == pages_.end()) return page_of(change);
    drop(withheld);
    return std::nullopt;
  }
  if (!change.sends_page && withheld == pages_.end()) return std::nullopt;
  const Silence* silence = book.covers(change.alert, change.labels, as_event_time(change.at));
  if (silence == nullptr || (withheld == pages_.end() && (pages_.size() >= most_pages || bytes_ >= most_bytes))) {
    if (withheld != pages_.end()) drop(withheld);
    return page_of(change);
  }
  if (withheld == pages_.end()) withhold(change, *silence);
  return std::nullopt;
}

void WithheldPages::withhold(const AlertChange& change, const Silence& silence) {
  const bool has_tombstone_due = changed_.contains(change.dedup_key);
  Withheld page{*change.page_id, to_page_json(change),     change.alert,
                change.labels,   as_event_time(change.at), has_tombstone_due};
  bytes_ += page.body.size();
  pages_.emplace(change.dedup_key, std::move(page));
  changed_.insert(change.dedup_key);
  next_end_ = std::min(next_end_, silence.ends_at());
}

WithheldPages::Pages::iterator WithheldPages::drop(Pages::iterator page) {
  // What was never stored needs no tombstone.
  if (page->second.is_stored) {
    changed_.insert(page->first);
  } else {
    changed_.erase(page->first);
  }
  bytes_ -= page->second.body.size();
  return pages_.erase(page);
}

std::vector<Page> WithheldPages::advance(RecordTime now, const SilenceBook& book) {
  const EventTime at = as_event_time(now);
  if (pages_.empty() || (book_version_ == book.version() && at < next_end_)) return {};
  std::vector<Page> due;
  book_version_ = book.version();
  next_end_ = EventTime::max();
  for (auto page = pages_.begin(); page != pages_.end();) {
    Withheld& withheld = page->second;
    if (const Silence* silence = book.covers(withheld.alert, withheld.labels, std::max(at, withheld.at))) {
      next_end_ = std::min(next_end_, silence->ends_at());
      ++page;
      continue;
    }
    due.push_back({order_key_of(page->first), withheld.page_id, withheld.body});
    page = drop(page);
  }
  return due;
}

bool WithheldPages::restore(std::string_view key, std::string_view value) {
  book_version_ = 0;
  if (const auto known = pages_.find(key); known != pages_.end()) {
    bytes_ -= known->second.body.size();
    pages_.erase(known);
  }
  if (value.empty()) return true;
  // A body that to_page_json() wrote: the bounds are its writer's.
  const Json json = parse_json(value);
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (!json.is_object() || data == json.end() || !data->is_object() || text_of(*data, "dedup_key") != key) {
    return false;
  }
  Withheld page{text_of(*data, "page_id"),
                std::string(value),
                text_of(*data, "alert"),
                {},
                parse_rfc3339(text_of(json, "timestamp")).value_or(EventTime::min()),
                true};
  const auto labels = data->find("labels");
  if (labels != data->end() && labels->is_object()) {
    for (const auto& [name, text] : labels->items()) {
      if (text.is_string()) page.labels.emplace_back(name, text.get<std::string>());
    }
  }
  bytes_ += page.body.size();
  pages_.emplace(std::string(key), std::move(page));
  return true;
}

}  // namespace tocsin
