// The Vercel AI SDK.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow vercel_ai_rows[] = {
    {"ai.operationId", Meaning::span_kind},
    {"ai.telemetry.functionId", Meaning::agent},
    {"ai.telemetry.metadata.sessionId", Meaning::session_id},
    {"ai.telemetry.metadata.userId", Meaning::user},
    {"ai.model.id", Meaning::request_model},
    {"ai.response.model", Meaning::response_model},
    {"ai.response.finishReason", Meaning::finish_reason},
    {"ai.usage.inputTokens", Meaning::tokens_in, TimeUnit::none, "5"},
    {"ai.usage.promptTokens", Meaning::tokens_in},
    {"ai.usage.outputTokens", Meaning::tokens_out, TimeUnit::none, "5"},
    {"ai.usage.completionTokens", Meaning::tokens_out},
    {"ai.usage.cachedInputTokens", Meaning::tokens_cached, TimeUnit::none, "5"},
    {"ai.response.msToFirstChunk", Meaning::ttft, TimeUnit::milliseconds},
    {"ai.toolCall.name", Meaning::tool},
    {"ai.toolCall.id", Meaning::call_id},
    {"ai.toolCall.args", Meaning::argument},
    {"ai.toolCall.result", Meaning::content},
    {"ai.prompt", Meaning::content},
    {"ai.prompt.messages", Meaning::content},
    {"ai.response.text", Meaning::content},
    {"ai.response.toolCalls", Meaning::content},
};
// The spans around a call (ai.generateText) repeat its figures: only those that made it are calls.
constexpr KindWord vercel_ai_kinds[] = {
    {"ai.operationId", "ai.generateText.doGenerate", SpanKind::model_call},
    {"ai.operationId", "ai.streamText.doStream", SpanKind::model_call},
    {"ai.operationId", "ai.generateObject.doGenerate", SpanKind::model_call},
    {"ai.operationId", "ai.streamObject.doStream", SpanKind::model_call},
    {"ai.operationId", "ai.toolCall", SpanKind::tool_call},
    {"ai.operationId", "ai.generateText", SpanKind::agent},
    {"ai.operationId", "ai.streamText", SpanKind::agent},
    {"ai.operationId", "ai.generateObject", SpanKind::agent},
    {"ai.operationId", "ai.streamObject", SpanKind::agent},
};

}  // namespace

const Dialect vercel_ai{"vercel_ai", "https://ai-sdk.dev/docs/ai-sdk-core/telemetry", vercel_ai_rows,
                        vercel_ai_kinds};

}  // namespace tocsin::dialect
