// What the changes of alerts become on the topics: pages in the outbox, and the feeds.

#pragma once

#include <vector>

#include "core/alert/alert_change.h"
#include "ports/log.h"

namespace tocsin {

// Appends the records of one change. The outbox's key is the alert that keeps the order of pages. `partition`: of
// every one of them; by_key where the log chooses it.
void add_records_of(const AlertChange& change, std::int32_t partition, std::vector<NewRecord>& out);

}  // namespace tocsin
