// The halt topic as its readers see it: which scopes are halted, by what, and who released them.
//
// Built by folding the topic's records in any order in which a key's own records keep theirs.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/halt/halt_record.h"

namespace tocsin {

class HaltBook {
 public:
  // One record of the topic; an empty value is a tombstone. False where it is no record of ours.
  bool apply(std::string_view key, std::string_view value);

  // Whether agents of this scope have to stop at `now`.
  bool is_halted(std::string_view scope, EventTime now) const;

  struct Item {
    HaltRecord halt;
    std::optional<HaltRelease> release;
    bool is_active(EventTime now) const { return !release && now < halt.expires_at; }
  };
  // Newest first.
  std::vector<Item> items() const;
  std::vector<Item> of_scope(std::string_view scope) const;

  // The halts of a scope that nobody has released.
  std::vector<HaltRecord> unreleased(std::string_view scope) const;

  // Drops what expired before `now`; returns the keys for which tombstones are due.
  std::vector<std::string> expire(EventTime now);

 private:
  std::map<std::string, HaltRecord, std::less<>> halts_;  // by scope/id
  std::map<std::string, HaltRelease, std::less<>> releases_;
};

}  // namespace tocsin
