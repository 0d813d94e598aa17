#include "ports/log.h"

#include <array>

namespace tocsin {

namespace {
constexpr std::array<std::string_view, topic_count> names{
    "source",       "blocks",         "findings",  "halts",           "halt-acks", "outbox", "events",
    "dead-letters", "investigations", "spec-gaps", "eval-candidates", "tasks",     "states", "page-status",
    "silences",     "heartbeat",      "control",   "unkeyed",         "keyed",     "spans"};
}

std::string_view name_of(Topic topic) {
  return names[static_cast<std::size_t>(topic)];
}

std::optional<Topic> topic_named(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Topic>(i);
  }
  return std::nullopt;
}

}  // namespace tocsin
