// What vendors' SDKs and exports say in JSON and MessagePack, to spans. Each function takes a tree and says whether
// it was one of its own; which attribute means what is in the vendor's table under core/event/dialects/.

#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "core/event/vendors/span_writer.h"
#include "core/event/vendors/tree.h"

namespace tocsin::vendor {

// LangSmith: {"post": [run], "patch": [run]}, one run, or a list of runs.
// https://docs.langchain.com/langsmith/run-data-format
bool read_langsmith(const Tree& root, SpanWriter& out);
// Where a batch that was made of the parts of an upload has the feedback and the files that came with its runs. No
// record of anybody's has such names.
inline constexpr const char* feedback_of_batch = "\x01/feedback";
inline constexpr const char* attachments_of_batch = "\x01/attachments";

// Langfuse: what is posted to its ingestion, {"batch": [event]}, where later events complete earlier ones of the
// same id; a trace as it is exported, {"trace": ..., "observations": [...]} or with them inside; a list of
// observations. https://api.reference.langfuse.com
bool read_langfuse(const Tree& root, SpanWriter& out);

// Datadog LLM Observability: [{"spans": [event]}], one of these, or an event alone; and traces of its tracer
// ([[span]]), whose spans carry such an event as MessagePack in meta_struct._llmobs. A span that says it was
// submitted by the other way is left out. https://docs.datadoghq.com/llm_observability/instrumentation/api/
bool read_datadog(const Tree& root, SpanWriter& out);

// Helicone: what its loggers post ({"providerRequest", "providerResponse", "timing"}), together with the headers of
// the request; and rows of its request table. https://docs.helicone.ai/getting-started/integration-method/custom
using Headers = std::span<const std::pair<std::string_view, std::string_view>>;
bool read_helicone(const Tree& root, const Headers& headers, SpanWriter& out);

// Spans of OpenTelemetry in JSON that is not OTLP: as its SDKs print them, and as Jaeger exports traces. Their
// attributes keep their own names, so that the tables of all dialects hold.
bool read_otel_export(const Tree& root, SpanWriter& out);

}  // namespace tocsin::vendor
