// OpenLLMetry (Traceloop), and the older names of its instrumentations.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow openllmetry_rows[] = {
    {"traceloop.span.kind", Meaning::span_kind},
    {"llm.request.type", Meaning::span_kind},
    {"llm.usage.total_tokens", Meaning::content},
    {"traceloop.prompt.version", Meaning::spec_version},
    {"traceloop.association.properties.session_id", Meaning::session_id},
    {"traceloop.association.properties.user_id", Meaning::user},
    {"traceloop.entity.input", Meaning::content},
    {"traceloop.entity.output", Meaning::content},
};
constexpr KindWord openllmetry_kinds[] = {
    {"traceloop.span.kind", "tool", SpanKind::tool_call},    {"traceloop.span.kind", "agent", SpanKind::agent},
    {"traceloop.span.kind", "workflow", SpanKind::workflow}, {"traceloop.span.kind", "task", SpanKind::workflow},
    {"llm.request.type", "chat", SpanKind::model_call},      {"llm.request.type", "completion", SpanKind::model_call},
};

}  // namespace

const Dialect openllmetry{"openllmetry", "https://github.com/traceloop/openllmetry", openllmetry_rows,
                          openllmetry_kinds};

}  // namespace tocsin::dialect
