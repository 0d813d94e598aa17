// Claude Code's own spans, and its events, which are log records. Its input tokens are without the cached ones.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow claude_code_rows[] = {
    {"span.type", Meaning::span_kind},
    {"event.name", Meaning::span_kind},
    {"prompt.id", Meaning::turn_id},
    {"cost_usd", Meaning::cost},
    {"tool_name", Meaning::tool},
    {"error_type", Meaning::error_type},
    {"decision", Meaning::decision},
    {"source", Meaning::decided_by},
    {"tool_parameters", Meaning::argument},
    {"tool_input", Meaning::argument},
    {"prompt", Meaning::content},
    {"response", Meaning::content},
    {"error", Meaning::content},
    {"model", Meaning::request_model},
    {"input_tokens", Meaning::tokens_in_uncached},
    {"output_tokens", Meaning::tokens_out},
    {"cache_read_tokens", Meaning::tokens_cached},
    {"cache_creation_tokens", Meaning::tokens_cache_write},
    {"ttft_ms", Meaning::ttft, TimeUnit::milliseconds},
    {"stop_reason", Meaning::finish_reason},
    {"success", Meaning::is_success},
    {"tool_use_id", Meaning::call_id},
    {"full_command", Meaning::argument},
    {"user_prompt", Meaning::content},
};
// A tool is reported by two spans: only its execution says whether it failed. A tool that may not be called has none:
// the decision is all that there is.
constexpr KindWord claude_code_kinds[] = {
    {"span.type", "llm_request", SpanKind::model_call},  {"span.type", "tool.execution", SpanKind::tool_call},
    {"span.type", "tool", SpanKind::workflow},           {"span.type", "interaction", SpanKind::agent},
    {"event.name", "user_prompt", SpanKind::agent},      {"event.name", "api_request", SpanKind::model_call},
    {"event.name", "api_error", SpanKind::model_call},   {"event.name", "tool_result", SpanKind::tool_call},
    {"event.name", "tool_decision", SpanKind::decision}, {"event.name", "assistant_response", SpanKind::workflow},
};

}  // namespace

const Dialect claude_code{"claude_code", "https://docs.anthropic.com/en/docs/claude-code/monitoring-usage",
                          claude_code_rows, claude_code_kinds};

}  // namespace tocsin::dialect
