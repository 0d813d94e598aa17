// Langfuse's own traces and observations, as its older SDKs post them and its API exports them.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow langfuse_ingestion_rows[] = {
    {"langfuse/type", Meaning::span_kind},
    {"langfuse/environment", Meaning::env},
    {"langfuse/release", Meaning::agent_version},
    {"langfuse/version", Meaning::agent_version},
    {"langfuse/promptVersion", Meaning::spec_version},
    {"langfuse/sessionId", Meaning::session_id},
    {"langfuse/userId", Meaning::user},
    {"langfuse/model", Meaning::request_model},
    {"langfuse/level", Meaning::level},
    {"langfuse/usageDetails", Meaning::usage_json, TimeUnit::none, "2.58"},
    {"langfuse/usage.input", Meaning::tokens_in},
    {"langfuse/usage.promptTokens", Meaning::tokens_in},
    {"langfuse/inputUsage", Meaning::tokens_in},
    {"langfuse/usage.output", Meaning::tokens_out},
    {"langfuse/usage.completionTokens", Meaning::tokens_out},
    {"langfuse/outputUsage", Meaning::tokens_out},
    {"langfuse/costDetails.total", Meaning::cost},
    {"langfuse/usage.totalCost", Meaning::cost},
    {"langfuse/output.finish_reason", Meaning::finish_reason},
    {"langfuse/input", Meaning::content},
    {"langfuse/output", Meaning::content},
    {"langfuse/score.comment", Meaning::content},
    {"langfuse/score.name", Meaning::suite},
    {"langfuse/score.value", Meaning::score},
    {"langfuse/score.verdict", Meaning::accepted},
};
constexpr KindWord langfuse_ingestion_kinds[] = {
    {"langfuse/type", "generation", SpanKind::model_call}, {"langfuse/type", "tool", SpanKind::tool_call},
    {"langfuse/type", "agent", SpanKind::agent},           {"langfuse/type", "trace", SpanKind::workflow},
    {"langfuse/type", "span", SpanKind::workflow},         {"langfuse/type", "chain", SpanKind::workflow},
    {"langfuse/type", "event", SpanKind::workflow},        {"langfuse/type", "retriever", SpanKind::workflow},
    {"langfuse/type", "evaluator", SpanKind::workflow},    {"langfuse/type", "embedding", SpanKind::workflow},
    {"langfuse/type", "guardrail", SpanKind::workflow},    {"langfuse/type", "score", SpanKind::evaluation},
};

}  // namespace

const Dialect langfuse_ingestion{"langfuse_ingestion", "https://api.reference.langfuse.com", langfuse_ingestion_rows,
                                 langfuse_ingestion_kinds, true};

}  // namespace tocsin::dialect
