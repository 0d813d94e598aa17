#include "runtime/page_status.h"

#include "base/json.h"
#include "base/json_version.h"
#include "base/time_text.h"

namespace tocsin {

std::string to_json(const PageStatus& status, EventTime at) {
  return dump({{"receiver", status.receiver},
               {"settled_by", status.lane},
               {"page_id", status.page_id},
               {"state", status.delivered ? "delivered" : "parked"},
               {"offset", status.offset},
               {"at", to_rfc3339(at)},
               {"version", json_version}});
}

std::optional<PageStatus> page_status_from(std::string_view key, std::string_view value) {
  const std::size_t first = key.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : key.find(' ', first + 1);
  if (second == std::string_view::npos || value.empty()) return std::nullopt;
  PageStatus status;
  status.receiver = key.substr(0, first);
  status.lane = key.substr(first + 1, second - first - 1);
  status.page_id = key.substr(second + 1);
  const auto json = parse_json(value);
  if (!json.is_object() || !has_readable_version(json)) return std::nullopt;
  const auto state = json.find("state"), offset = json.find("offset");
  status.delivered = state != json.end() && *state == "delivered";
  if (offset != json.end() && offset->is_number_integer()) status.offset = offset->get<std::int64_t>();
  return status;
}

}  // namespace tocsin
