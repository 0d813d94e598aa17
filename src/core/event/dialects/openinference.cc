// OpenInference, as Phoenix reads it.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow openinference_rows[] = {
    {"openinference.span.kind", Meaning::span_kind},
    {"agent.name", Meaning::agent},
    {"llm.prompt_template.version", Meaning::spec_version},
    {"llm.model_name", Meaning::response_model},
    {"llm.token_count.prompt", Meaning::tokens_in},
    {"llm.token_count.completion", Meaning::tokens_out},
    {"llm.token_count.prompt_details.cache_read", Meaning::tokens_cached},
    {"llm.token_count.prompt_details.cache_write", Meaning::tokens_cache_write},
    {"llm.cost.total", Meaning::cost},
    {"llm.finish_reason", Meaning::finish_reason},
    {"tool.name", Meaning::tool},
    {"tool_call.id", Meaning::call_id},
    {"tool.parameters", Meaning::argument},
    {"input.value", Meaning::content},
    {"output.value", Meaning::content},
};
constexpr KindWord openinference_kinds[] = {
    {"openinference.span.kind", "LLM", SpanKind::model_call},
    {"openinference.span.kind", "TOOL", SpanKind::tool_call},
    {"openinference.span.kind", "AGENT", SpanKind::agent},
    {"openinference.span.kind", "CHAIN", SpanKind::workflow},
};

}  // namespace

const Dialect openinference{"openinference",
                            "https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md",
                            openinference_rows, openinference_kinds, true};

}  // namespace tocsin::dialect
