// What the changes of alerts become on the feeds: investigations, spec gaps, eval candidates.

#pragma once

#include <vector>

#include "core/alert/alert_change.h"
#include "ports/log.h"

namespace tocsin {

// Appends the feeds' records of one change. `partition`: of every one of them; by_key where the log chooses it.
void add_feeds_of(const AlertChange& change, std::int32_t partition, std::vector<NewRecord>& out);

}  // namespace tocsin
