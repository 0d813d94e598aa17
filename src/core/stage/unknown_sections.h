// What a later release appended to records of state: this one can't read it, and keeps it.
//
// While a service is upgraded process by process, a partition goes back and forth between two releases. Each writes
// whole records, so the elder puts back what it took off, until their key is forgotten. See base/wire.h.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stage/state_record.h"

namespace tocsin {

class UnknownSections {
 public:
  // How many sections of a key's record this release knows.
  using Known = std::size_t (*)(std::string_view key);

  explicit UnknownSections(Known known = [](std::string_view) -> std::size_t { return 0; }) : known_(known) {}

  // The part of a restored record that this release reads; nothing where it is cut short.
  std::optional<std::string_view> take_off(std::string_view key, std::string_view value);

  // For records from `from` on, which are about to be written.
  void put_back(std::vector<StateRecord>& records, std::size_t from);

 private:
  Known known_;
  std::map<std::string, std::string, std::less<>> by_key_;
};

}  // namespace tocsin
