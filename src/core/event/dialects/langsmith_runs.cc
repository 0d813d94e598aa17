// LangSmith's own runs, as its SDKs post them and its API gives them out. Input tokens are with the cached ones.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow langsmith_runs_rows[] = {
    {"langsmith/run_type", Meaning::span_kind},
    {"langsmith/extra.metadata.ls_agent_name", Meaning::agent},
    {"langsmith/extra.metadata.lc_agent_name", Meaning::agent},
    {"langsmith/extra.metadata.revision_id", Meaning::agent_version},
    {"langsmith/extra.metadata.environment", Meaning::env},
    {"langsmith/extra.metadata.session_id", Meaning::session_id},
    {"langsmith/extra.metadata.thread_id", Meaning::session_id},
    {"langsmith/extra.metadata.conversation_id", Meaning::session_id},
    {"langsmith/extra.metadata.user_id", Meaning::user},
    {"langsmith/extra.metadata.ls_model_name", Meaning::request_model},
    {"langsmith/extra.invocation_params.model", Meaning::request_model},
    {"langsmith/extra.invocation_params.model_name", Meaning::request_model},
    {"langsmith/inputs.model", Meaning::request_model},
    {"langsmith/outputs.model", Meaning::response_model},
    {"langsmith/outputs.llm_output.model_name", Meaning::response_model},
    {"langsmith/outputs.usage_metadata.input_tokens", Meaning::tokens_in},
    {"langsmith/extra.metadata.usage_metadata.input_tokens", Meaning::tokens_in},
    {"langsmith/outputs.llm_output.token_usage.prompt_tokens", Meaning::tokens_in},
    {"langsmith/outputs.usage.prompt_tokens", Meaning::tokens_in},
    {"langsmith/prompt_tokens", Meaning::tokens_in},
    {"langsmith/outputs.usage_metadata.output_tokens", Meaning::tokens_out},
    {"langsmith/extra.metadata.usage_metadata.output_tokens", Meaning::tokens_out},
    {"langsmith/outputs.llm_output.token_usage.completion_tokens", Meaning::tokens_out},
    {"langsmith/outputs.usage.completion_tokens", Meaning::tokens_out},
    {"langsmith/completion_tokens", Meaning::tokens_out},
    {"langsmith/outputs.usage_metadata.input_token_details.cache_read", Meaning::tokens_cached},
    {"langsmith/extra.metadata.usage_metadata.input_token_details.cache_read", Meaning::tokens_cached},
    {"langsmith/outputs.llm_output.token_usage.prompt_tokens_details.cached_tokens", Meaning::tokens_cached},
    {"langsmith/outputs.usage.prompt_tokens_details.cached_tokens", Meaning::tokens_cached},
    {"langsmith/outputs.usage_metadata.input_token_details.cache_creation", Meaning::tokens_cache_write},
    {"langsmith/extra.metadata.usage_metadata.input_token_details.cache_creation", Meaning::tokens_cache_write},
    {"langsmith/outputs.usage_metadata.total_cost", Meaning::cost},
    {"langsmith/extra.metadata.usage_metadata.total_cost", Meaning::cost},
    {"langsmith/total_cost", Meaning::cost},
    {"langsmith/outputs.choices.finish_reason", Meaning::finish_reason},
    {"langsmith/outputs.tool_call_id", Meaning::call_id},
    {"langsmith/error_type", Meaning::error_type},
    {"langsmith/feedback.key", Meaning::suite},
    {"langsmith/feedback.score", Meaning::score},
    {"langsmith/feedback.verdict", Meaning::accepted},
    {"langsmith/feedback.comment", Meaning::content},
    {"langsmith/feedback.correction", Meaning::content},
    {"langsmith/attachment", Meaning::content},
    {"langsmith/inputs", Meaning::content},
    {"langsmith/outputs", Meaning::content},
};
constexpr KindWord langsmith_runs_kinds[] = {
    {"langsmith/run_type", "llm", SpanKind::model_call},
    {"langsmith/run_type", "tool", SpanKind::tool_call},
    {"langsmith/run_type", "chain", SpanKind::workflow},
    {"langsmith/run_type", "retriever", SpanKind::workflow},
    {"langsmith/run_type", "embedding", SpanKind::workflow},
    {"langsmith/run_type", "prompt", SpanKind::workflow},
    {"langsmith/run_type", "parser", SpanKind::workflow},
    {"langsmith/run_type", "feedback", SpanKind::evaluation},
    {"langsmith/run_type", "attachment", SpanKind::workflow},
};

}  // namespace

const Dialect langsmith_runs{"langsmith_runs", "https://docs.langchain.com/langsmith/run-data-format",
                             langsmith_runs_rows, langsmith_runs_kinds, true};

}  // namespace tocsin::dialect
