// LangSmith's OpenTelemetry attributes.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow langsmith_rows[] = {
    {"langsmith.span.kind", Meaning::span_kind},
    {"gen_ai.usage.input_token_details", Meaning::input_details},
    {"langsmith.metadata.session_id", Meaning::session_id},
    {"langsmith.metadata.user_id", Meaning::user},
};
constexpr KindWord langsmith_kinds[] = {
    {"langsmith.span.kind", "llm", SpanKind::model_call},
    {"langsmith.span.kind", "tool", SpanKind::tool_call},
    {"langsmith.span.kind", "chain", SpanKind::workflow},
};

}  // namespace

const Dialect langsmith{"langsmith", "https://docs.langchain.com/langsmith/trace-with-opentelemetry", langsmith_rows,
                        langsmith_kinds, true};

}  // namespace tocsin::dialect
