// What became of a page at a receiver: a record of the compacted topic `page-status`, which lies beside the outbox,
// partition by partition.
//
// Keys are "RECEIVER LANE PAGE-ID": the receiver that the page was for, and the one that settled it, which is itself
// or a fallback. No name of a receiver holds a space.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "core/stage/delivery.h"

namespace tocsin {

struct PageStatus {
  std::string receiver;
  std::string lane;
  std::string page_id;
  bool delivered = false;   // else parked: it would never be taken
  std::int64_t offset = 0;  // of the page in the outbox

  std::string key() const { return receiver + " " + lane + " " + page_id; }
};

std::string to_json(const PageStatus& status, EventTime at);
// Nothing where it is no such record.
std::optional<PageStatus> page_status_from(std::string_view key, std::string_view value);

}  // namespace tocsin
