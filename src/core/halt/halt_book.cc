#include "core/halt/halt_book.h"

#include <algorithm>

namespace tocsin {

bool HaltBook::apply(std::string_view key, std::string_view value) {
  if (key.starts_with(halt_key_prefix)) {
    const std::string name(key.substr(halt_key_prefix.size()));
    if (value.empty()) {
      halts_.erase(name);
      return true;
    }
    auto halt = halt_from_json(value);
    if (!halt || halt->scope + "/" + halt->id != name) return false;
    halts_[name] = std::move(*halt);
    return true;
  }
  if (key.starts_with(release_key_prefix)) {
    const std::string name(key.substr(release_key_prefix.size()));
    if (value.empty()) {
      releases_.erase(name);
      return true;
    }
    auto release = release_from_json(value);
    if (!release || release->scope + "/" + release->id != name) return false;
    releases_[name] = std::move(*release);
    return true;
  }
  return false;
}

std::vector<HaltBook::Item> HaltBook::items() const {
  std::vector<Item> items;
  for (const auto& [name, halt] : halts_) {
    const auto release = releases_.find(name);
    items.push_back({halt, release == releases_.end() ? std::nullopt : std::optional(release->second)});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.halt.first_at > b.halt.first_at; });
  return items;
}

std::vector<HaltBook::Item> HaltBook::of_scope(std::string_view scope) const {
  std::vector<Item> all = items();
  std::erase_if(all, [&](const Item& item) { return item.halt.scope != scope; });
  return all;
}

bool HaltBook::is_halted(std::string_view scope, EventTime now) const {
  const auto own = of_scope(scope);
  return std::any_of(own.begin(), own.end(),
                     [&](const Item& item) { return item.halt.enforced() && item.is_active(now); });
}

std::vector<HaltRecord> HaltBook::unreleased(std::string_view scope) const {
  std::vector<HaltRecord> list;
  for (const Item& item : of_scope(scope)) {
    if (!item.release) list.push_back(item.halt);
  }
  return list;
}

std::vector<std::string> HaltBook::expire(EventTime now) {
  std::vector<std::string> keys;
  for (auto halt = halts_.begin(); halt != halts_.end();) {
    if (halt->second.expires_at > now) {
      ++halt;
      continue;
    }
    keys.push_back(std::string(halt_key_prefix) + halt->first);
    if (releases_.erase(halt->first) > 0) keys.push_back(std::string(release_key_prefix) + halt->first);
    halt = halts_.erase(halt);
  }
  return keys;
}

}  // namespace tocsin
