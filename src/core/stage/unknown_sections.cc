#include "core/stage/unknown_sections.h"

#include "base/wire.h"

namespace tocsin {

std::optional<std::string_view> UnknownSections::take_off(std::string_view key, std::string_view value) {
  const auto parts = wire::parts_of(value);
  if (!parts) return std::nullopt;
  std::string_view unknown = parts->sections;
  for (std::size_t own = known_(key); own > 0 && !unknown.empty(); --own) wire::next_section(unknown);
  if (!unknown.empty()) {
    by_key_.insert_or_assign(std::string(key), std::string(unknown));
  } else if (!by_key_.empty()) {
    if (const auto known = by_key_.find(key); known != by_key_.end()) by_key_.erase(known);
  }
  const bool has_own = unknown.size() < parts->sections.size();
  return has_own ? value.substr(0, value.size() - unknown.size()) : parts->record;
}

void UnknownSections::put_back(std::vector<StateRecord>& records, std::size_t from) {
  if (by_key_.empty()) return;
  for (std::size_t i = from; i < records.size(); ++i) {
    const auto found = by_key_.find(records[i].key);
    if (found == by_key_.end()) continue;
    if (records[i].value.empty()) {
      by_key_.erase(found);
      continue;
    }
    // They stand behind all of ours, of which those may be left out that say nothing.
    const auto parts = wire::parts_of(records[i].value);
    std::string sections(parts->sections);
    std::size_t own = known_(records[i].key);
    for (std::string_view left = sections; !left.empty(); --own) wire::next_section(left);
    for (; own > 0; --own) wire::append_section(sections, {});
    records[i].value = wire::join(parts->record, sections + found->second);
  }
}

}  // namespace tocsin
