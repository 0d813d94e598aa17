#include "runtime/change_records.h"

namespace tocsin {

void add_feeds_of(const AlertChange& change, std::int32_t partition, std::vector<NewRecord>& out) {
  if (!change.firing) return;
  const auto feed = [&](bool wanted, Topic topic, std::string_view name) {
    if (wanted) out.push_back({topic, partition, change.alert_id, to_feed_json(change, name)});
  };
  feed(change.actions.investigate, Topic::investigations, "investigation");
  feed(change.actions.spec_gap, Topic::spec_gaps, "spec_gap");
  feed(change.actions.eval_candidate, Topic::eval_candidates, "eval_candidate");
}

}  // namespace tocsin
