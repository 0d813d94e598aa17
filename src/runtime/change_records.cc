#include "runtime/change_records.h"

namespace tocsin {

void add_records_of(const AlertChange& change, std::int32_t partition, std::vector<NewRecord>& out) {
  if (change.sends_page) {
    const std::string order_key = change.dedup_key.substr(0, change.dedup_key.find(':'));
    out.push_back({Topic::outbox, partition, order_key, to_page_json(change)});
  }
  if (!change.firing) return;
  const auto feed = [&](bool wanted, Topic topic, std::string_view name) {
    if (wanted) out.push_back({topic, partition, change.alert_id, to_feed_json(change, name)});
  };
  feed(change.actions.investigate, Topic::investigations, "investigation");
  feed(change.actions.spec_gap, Topic::spec_gaps, "spec_gap");
  feed(change.actions.eval_candidate, Topic::eval_candidates, "eval_candidate");
}

}  // namespace tocsin
