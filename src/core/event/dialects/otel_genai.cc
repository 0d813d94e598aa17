// OpenTelemetry's semantic conventions for generative AI, new names and old.

#include "core/event/dialects/tables.h"
#include "core/event/span_batch.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow otel_genai_rows[] = {
    {"gen_ai.operation.name", Meaning::span_kind},
    {"gen_ai.agent.name", Meaning::agent},
    {"gen_ai.agent.version", Meaning::agent_version},
    {"gen_ai.conversation.id", Meaning::session_id},
    {"gen_ai.request.model", Meaning::request_model},
    {"gen_ai.response.model", Meaning::response_model},
    {"gen_ai.response.finish_reasons", Meaning::finish_reason},
    {"gen_ai.usage.input_tokens", Meaning::tokens_in, TimeUnit::none, "1.27"},
    {"gen_ai.usage.prompt_tokens", Meaning::tokens_in},
    {"gen_ai.usage.output_tokens", Meaning::tokens_out, TimeUnit::none, "1.27"},
    {"gen_ai.usage.completion_tokens", Meaning::tokens_out},
    {"gen_ai.usage.cache_read.input_tokens", Meaning::tokens_cached, TimeUnit::none, "1.40"},
    {"gen_ai.usage.cache_creation.input_tokens", Meaning::tokens_cache_write, TimeUnit::none, "1.40"},
    {"gen_ai.response.time_to_first_chunk", Meaning::ttft, TimeUnit::seconds, "1.40"},
    {"gen_ai.tool.name", Meaning::tool},
    {"gen_ai.tool.call.id", Meaning::call_id},
    {"gen_ai.tool.call.arguments", Meaning::argument},
    {"gen_ai.tool.call.result", Meaning::content},
    {"gen_ai.input.messages", Meaning::content},
    {"gen_ai.output.messages", Meaning::content},
    {"gen_ai.system_instructions", Meaning::content},
    {"gen_ai.tool.definitions", Meaning::content},
    {"gen_ai.input.messages_ref", Meaning::content_ref},  // these four by opentelemetry-util-genai's upload hook
    {"gen_ai.output.messages_ref", Meaning::content_ref},
    {"gen_ai.system_instructions_ref", Meaning::content_ref},
    {"gen_ai.tool.definitions_ref", Meaning::content_ref},
    {"gen_ai.evaluation.name", Meaning::suite, TimeUnit::none, "1.38"},
    {"gen_ai.evaluation.score.value", Meaning::score, TimeUnit::none, "1.38"},
    {"gen_ai.evaluation.explanation", Meaning::content, TimeUnit::none, "1.38"},
    {log_body_name, Meaning::content},
    {"error.type", Meaning::error_type},
    {"session.id", Meaning::session_id},
    {"user.id", Meaning::user},
    {"enduser.id", Meaning::user},
};
constexpr KindWord otel_genai_kinds[] = {
    {"gen_ai.operation.name", "chat", SpanKind::model_call},
    {"gen_ai.operation.name", "generate_content", SpanKind::model_call},
    {"gen_ai.operation.name", "text_completion", SpanKind::model_call},
    {"gen_ai.operation.name", "execute_tool", SpanKind::tool_call},
    {"gen_ai.operation.name", "invoke_agent", SpanKind::agent},
    {"gen_ai.operation.name", "invoke_workflow", SpanKind::workflow},
    {"event.name", "gen_ai.evaluation.result", SpanKind::evaluation},
    // Semantic Kernel's
    {"gen_ai.operation.name", "chat.completions", SpanKind::model_call},
    {"gen_ai.operation.name", "text.completions", SpanKind::model_call},
};

}  // namespace

const Dialect otel_genai{"otel_genai", "https://opentelemetry.io/docs/specs/semconv/gen-ai/", otel_genai_rows,
                         otel_genai_kinds};

}  // namespace tocsin::dialect
