// A sanitized event as a span of OpenTelemetry, so that other tools read it: one TracesData message in protobuf, as
// the Collector's Kafka receiver takes it, in the names of the semantic conventions for generative AI.
//
// Model calls, tool calls and ends of tasks are spans; other events are none. Ids that are no ids of OpenTelemetry's
// are hashed into some, the same each time. What no convention names stands under `tocsin.`: so does what stands for
// content and arguments, `tocsin.content.hash`, but never the text of either.
//
// Wire format: opentelemetry-proto v1; https://opentelemetry.io/docs/specs/semconv/gen-ai/

#pragma once

#include <optional>
#include <string>

#include "core/sanitize/sanitized_event.h"

namespace tocsin {

// Empty for an event that is no span. `started`: of its task, where it is known.
std::string to_otlp(const SanitizedEvent& event, std::optional<EventTime> started,
                    const std::optional<ContentReference>& content, const std::optional<ContentReference>& arguments);

}  // namespace tocsin
