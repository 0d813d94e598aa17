// Helicone's requests, as its loggers post them and its table holds them.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow helicone_rows[] = {
    {"helicone/type", Meaning::span_kind},
    {"helicone/property.agent", Meaning::agent},
    {"helicone/session_path", Meaning::agent},
    {"helicone/property.environment", Meaning::env},
    {"helicone/property.env", Meaning::env},
    {"helicone/property.version", Meaning::agent_version},
    {"helicone/session_id", Meaning::session_id},
    {"helicone/user_id", Meaning::user},
    {"helicone/tool", Meaning::tool},
    {"helicone/request.model", Meaning::request_model},
    {"helicone/request_model", Meaning::request_model},
    {"helicone/response.model", Meaning::response_model},
    {"helicone/response_model", Meaning::response_model},
    {"helicone/response.usage", Meaning::usage_json},
    {"helicone/prompt_tokens", Meaning::tokens_in},
    {"helicone/metadata.promptTokens", Meaning::tokens_in},
    {"helicone/completion_tokens", Meaning::tokens_out},
    {"helicone/metadata.completionTokens", Meaning::tokens_out},
    {"helicone/prompt_cache_read_tokens", Meaning::tokens_cached},
    {"helicone/prompt_cache_write_tokens", Meaning::tokens_cache_write},
    {"helicone/cost", Meaning::cost},
    {"helicone/costUSD", Meaning::cost},
    {"helicone/metadata.cost", Meaning::cost},
    {"helicone/ttft_ms", Meaning::ttft, TimeUnit::milliseconds},
    {"helicone/response.finish_reason", Meaning::finish_reason},
    {"helicone/response.stop_reason", Meaning::finish_reason},
    {"helicone/arguments", Meaning::argument},
    {"helicone/request", Meaning::content},
    {"helicone/response", Meaning::content},
    {"helicone/response.text", Meaning::content},
};
constexpr KindWord helicone_kinds[] = {
    {"helicone/type", "llm", SpanKind::model_call},
    {"helicone/type", "tool", SpanKind::tool_call},
    {"helicone/type", "vector_db", SpanKind::workflow},
    {"helicone/type", "data", SpanKind::workflow},
};

}  // namespace

const Dialect helicone{"helicone", "https://docs.helicone.ai/getting-started/integration-method/custom",
                       helicone_rows, helicone_kinds};

}  // namespace tocsin::dialect
