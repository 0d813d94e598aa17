// The OpenTelemetry attributes of Langfuse's SDKs.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow langfuse_rows[] = {
    {"langfuse.observation.type", Meaning::span_kind},
    {"langfuse.observation.model.name", Meaning::response_model},
    {"langfuse.observation.usage_details", Meaning::usage_json},
    {"langfuse.observation.level", Meaning::level},
    {"langfuse.observation.input", Meaning::content},
    {"langfuse.observation.output", Meaning::content},
    {"langfuse.environment", Meaning::env},
    {"langfuse.release", Meaning::agent_version},
    {"langfuse.version", Meaning::agent_version},
    {"langfuse.observation.prompt.version", Meaning::spec_version},
    {"langfuse.session.id", Meaning::session_id},
    {"langfuse.user.id", Meaning::user},
};
constexpr KindWord langfuse_kinds[] = {
    {"langfuse.observation.type", "generation", SpanKind::model_call},
    {"langfuse.observation.type", "tool", SpanKind::tool_call},
    {"langfuse.observation.type", "agent", SpanKind::agent},
    {"langfuse.observation.type", "chain", SpanKind::workflow},
};

}  // namespace

const Dialect langfuse{"langfuse", "https://langfuse.com/integrations/native/opentelemetry", langfuse_rows,
                       langfuse_kinds, true};

}  // namespace tocsin::dialect
