// A person's word that what an alert fires for is the new normal, as it stands in the topic of silences.
//
// The topic is compacted; the key is `accept/ID`. The word is about the episode that fires when it is given, and
// about no later one: whoever reads it a second time finds it done.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "core/alert/alert_change.h"

namespace tocsin {

constexpr std::string_view accept_prefix = "accept/";  // of keys

struct Acceptance {
  std::string id;
  std::string alert;
  Labels labels;  // of the group, every one that is not empty
  std::string by;
  std::string reason;
  EventTime at{};

  std::string key() const { return std::string(accept_prefix) + id; }
};

// Refused with the reason: no alert, name or reason, or one of more than 512 bytes. The id is made of all that was
// said, and when. Line breaks in texts become spaces.
Result<Acceptance, std::string> make_acceptance(std::string alert, Labels labels, std::string by, std::string reason,
                                                EventTime at);

// The JSON of a record's value; one object, no line breaks.
std::string to_json(const Acceptance& acceptance);
// Nothing where the text is no such record.
std::optional<Acceptance> acceptance_from_json(std::string_view json);

// Those that the topic holds, for partitions that come later than they were read. Holds at most 10,000.
class AcceptanceBook {
 public:
  // One record of the topic; an empty value is a tombstone. The acceptance, where it is one.
  const Acceptance* apply(std::string_view key, std::string_view value);

  // In the order in which they were given.
  std::vector<Acceptance> items() const;

  // Drops those that were given five days before `now` or earlier; returns the keys for which tombstones are due.
  std::vector<std::string> expire(EventTime now);

 private:
  std::map<std::string, Acceptance, std::less<>> acceptances_;  // by id
};

}  // namespace tocsin
