// Datadog LLM Observability. Input tokens are with the cached ones.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow datadog_rows[] = {
    {"datadog/meta.span.kind", Meaning::span_kind},
    {"datadog/meta.agent_attribution.pagent_name", Meaning::agent, TimeUnit::none, "4"},
    {"datadog/tags.version", Meaning::agent_version},
    {"datadog/meta.input.prompt.version", Meaning::spec_version},
    {"datadog/tags.env", Meaning::env},
    {"datadog/session_id", Meaning::session_id},
    {"datadog/tags.session_id", Meaning::session_id},
    {"datadog/tags.user_id", Meaning::user},
    {"datadog/meta.model_name", Meaning::request_model},
    {"datadog/metrics.input_tokens", Meaning::tokens_in},
    {"datadog/metrics.output_tokens", Meaning::tokens_out},
    {"datadog/metrics.cache_read_input_tokens", Meaning::tokens_cached},
    {"datadog/metrics.cache_write_input_tokens", Meaning::tokens_cache_write},
    {"datadog/metrics.time_to_first_token", Meaning::ttft, TimeUnit::seconds},
    {"datadog/meta.metadata.finish_reason", Meaning::finish_reason},
    {"datadog/meta.error.type", Meaning::error_type},
    {"datadog/meta.input", Meaning::content},
    {"datadog/meta.output", Meaning::content},
    {"datadog/apm.meta._dd.llmobs.span_kind", Meaning::span_kind},
    {"datadog/apm.meta._dd.llmobs.model_name", Meaning::request_model},
    {"datadog/apm.meta.env", Meaning::env},
    {"datadog/apm.meta.version", Meaning::agent_version},
    {"datadog/apm.meta.error.type", Meaning::error_type},
    {"datadog/apm.metrics._dd.llmobs.input_tokens", Meaning::tokens_in},
    {"datadog/apm.metrics._dd.llmobs.output_tokens", Meaning::tokens_out},
    {"datadog/apm.metrics._dd.llmobs.cache_read_input_tokens", Meaning::tokens_cached},
};
constexpr KindWord datadog_kinds[] = {
    {"datadog/meta.span.kind", "llm", SpanKind::model_call},
    {"datadog/meta.span.kind", "tool", SpanKind::tool_call},
    {"datadog/meta.span.kind", "agent", SpanKind::agent},
    {"datadog/meta.span.kind", "workflow", SpanKind::workflow},
    {"datadog/meta.span.kind", "task", SpanKind::workflow},
    {"datadog/meta.span.kind", "retrieval", SpanKind::workflow},
    {"datadog/meta.span.kind", "embedding", SpanKind::workflow},
    {"datadog/apm.meta._dd.llmobs.span_kind", "llm", SpanKind::model_call},
    {"datadog/apm.meta._dd.llmobs.span_kind", "tool", SpanKind::tool_call},
    {"datadog/apm.meta._dd.llmobs.span_kind", "agent", SpanKind::agent},
    {"datadog/apm.meta._dd.llmobs.span_kind", "workflow", SpanKind::workflow},
};

}  // namespace

const Dialect datadog{"datadog", "https://docs.datadoghq.com/llm_observability/instrumentation/api/", datadog_rows,
                      datadog_kinds, true};

}  // namespace tocsin::dialect
