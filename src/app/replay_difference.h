// What other rules would have done with the same records: episodes that are new, gone, earlier or later.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/alert/alert_change.h"

namespace tocsin {

struct Episode {
  std::string alert;
  Labels labels;
  RecordTime fired;
  std::optional<RecordTime> resolved;
};

class EpisodeLog {
 public:
  void add(const AlertChange& change);
  const std::vector<Episode>& episodes() const { return episodes_; }

 private:
  std::vector<Episode> episodes_;
  std::map<std::string, std::size_t> open_;  // by alert id
};

struct EpisodeDifference {
  enum class Kind : std::uint8_t { added, gone, earlier, later };
  Kind kind = Kind::added;
  Episode before, after;  // of what is new, `after` alone; of what is gone, `before` alone
};
std::string_view name_of(EpisodeDifference::Kind kind);

// Two episodes are one where alert and labels are the same and they overlap, or begin within an hour. Sorted by time.
std::vector<EpisodeDifference> differences(const std::vector<Episode>& before, const std::vector<Episode>& after);

}  // namespace tocsin
