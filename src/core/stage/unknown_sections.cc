#include "core/stage/unknown_sections.h"

#include "base/wire.h"

namespace tocsin {

std::optional<std::string_view> UnknownSections::take_off(std::string_view key, std::string_view value) {
  const auto parts = wire::parts_of(value);
  if (!parts) return std::nullopt;
  if (!parts->sections.empty()) {
    by_key_.insert_or_assign(std::string(key), std::string(parts->sections));
  } else if (!by_key_.empty()) {
    if (const auto known = by_key_.find(key); known != by_key_.end()) by_key_.erase(known);
  }
  return parts->record;
}

void UnknownSections::put_back(std::vector<StateRecord>& records, std::size_t from) {
  if (by_key_.empty()) return;
  for (std::size_t i = from; i < records.size(); ++i) {
    const auto known = by_key_.find(records[i].key);
    if (known == by_key_.end()) continue;
    if (records[i].value.empty()) {
      by_key_.erase(known);
    } else {
      records[i].value = wire::join(records[i].value, known->second);
    }
  }
}

}  // namespace tocsin
