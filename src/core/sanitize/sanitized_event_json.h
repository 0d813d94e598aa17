// A sanitized event as a record of tocsin.events: what other consumers may read, and all they need.

#pragma once

#include <optional>
#include <string>

#include "core/sanitize/sanitized_event.h"

namespace tocsin {

// How the JSON of an event calls a number, which rules may call otherwise: "cost_usd", "budget.wall_clock_s".
std::string wire_name(NumberField field);

// One JSON object in the native format's names, with `findings` and with `content_ref` and `arguments_ref` in
// place of content and arguments: {"hash", "bytes", "retention", "uris", "text", "cut"}.
std::string to_json(const SanitizedEvent& event, const std::optional<ContentReference>& content,
                    const std::optional<ContentReference>& arguments);
// The same as a record that ingest reads: with what a door knows of it and no field says.
std::string to_source_json(const SanitizedEvent& event, const std::optional<ContentReference>& content,
                           const std::optional<ContentReference>& arguments);

}  // namespace tocsin
