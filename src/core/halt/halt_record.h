// An order to stop, as agents read it from the halt topic: a state, not a command.
//
// The topic is compacted. Keys are `halt/SCOPE/ID` and `release/SCOPE/ID`; a scope ("task:ID" or "agent:NAME") is
// halted while one of its enforced halts has no release and has not expired. A repeated arrival of the same
// secret rewrites its own key with a higher count and undoes no release.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace tocsin {

constexpr std::string_view halt_key_prefix = "halt/";  // of keys
constexpr std::string_view release_key_prefix = "release/";

enum class HaltState : std::uint8_t {
  enforced,
  dry_run,  // the configuration says that nothing is stopped yet
  held,     // too many at once: a person decides
};
std::string_view name_of(HaltState state);

struct HaltRecord {
  std::string id;
  std::string scope;
  HaltState state = HaltState::dry_run;
  std::string rule;
  std::string reason;  // for people: what was found, by name
  std::string pattern;
  std::string fingerprint;
  std::string env;
  std::string agent;
  std::string correlation_id;
  std::uint64_t count = 1;  // how often it was seen
  EventTime first_at{};
  EventTime last_at{};
  EventTime expires_at{};

  std::string key() const { return std::string(halt_key_prefix) + scope + "/" + id; }
  bool enforced() const { return state == HaltState::enforced; }
};

struct HaltRelease {
  std::string id;
  std::string scope;
  std::string by;
  std::string reason;
  EventTime at{};

  std::string key() const { return std::string(release_key_prefix) + scope + "/" + id; }
};

// The JSON of a record's value; one object, no line breaks.
std::string to_json(const HaltRecord& halt);
std::string to_json(const HaltRelease& release);
// Nothing where the text is no such record.
std::optional<HaltRecord> halt_from_json(std::string_view json);
std::optional<HaltRelease> release_from_json(std::string_view json);

// The id that one secret in one scope always has. `fingerprint`: of the secret; where there is none, ten minutes of
// log time.
std::string halt_id(std::string_view deployment, std::string_view rule, std::string_view scope,
                    std::string_view fingerprint);

}  // namespace tocsin
