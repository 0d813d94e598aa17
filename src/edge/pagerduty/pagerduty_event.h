// A page of ours as an event of PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/events-api-v2).
//
// Pure. A trigger and its resolution share the dedup_key, which is the page's own: alert id and episode.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// PagerDuty's bounds; beyond one it refuses the event, and nobody is woken.
constexpr std::size_t most_summary_characters = 1'024;
constexpr std::size_t most_dedup_key_bytes = 255;
constexpr std::size_t most_event_bytes = 512'000;

// The first `most` code points of well-formed UTF-8, with "…" as the last of them where something was cut.
std::string cut_to_characters(std::string_view text, std::size_t most);

// The event's JSON, of `most_event_bytes` at most (custom_details, then links give way), or nothing where `page_json`
// is no page of ours (see to_page_json). The routing key is in it: it goes to PagerDuty and nowhere else.
std::optional<std::string> to_pagerduty_event(std::string_view page_json, std::string_view routing_key);

}  // namespace tocsin
