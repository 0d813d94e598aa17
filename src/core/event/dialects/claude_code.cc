// Claude Code's own spans. Its input tokens are without the cached ones.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow rows[] = {
    {"span.type", Meaning::span_kind},
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
// A tool is reported by two spans: only its execution says whether it failed.
constexpr KindWord kinds[] = {
    {"span.type", "llm_request", SpanKind::model_call},
    {"span.type", "tool.execution", SpanKind::tool_call},
    {"span.type", "tool", SpanKind::workflow},
    {"span.type", "interaction", SpanKind::agent},
};

}  // namespace

const Dialect claude_code{"claude_code", "https://docs.anthropic.com/en/docs/claude-code/monitoring-usage", rows,
                          kinds};

}  // namespace tocsin::dialect
