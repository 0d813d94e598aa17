// The Model Context Protocol, by OpenTelemetry's conventions: a call of a tool has a span at its client and one at
// its server.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow mcp_rows[] = {
    {"mcp.method.name", Meaning::span_kind, TimeUnit::none, "1.39"},
    {"mcp.tool.name", Meaning::tool},
    {"mcp.request.argument", Meaning::argument},
};
// An elicitation asks a person, and waits for the answer.
constexpr KindWord mcp_kinds[] = {
    {"mcp.method.name", "tools/call", SpanKind::tool_call},
    {"mcp.method.name", "elicitation/create", SpanKind::hand_over},
    {"mcp.method.name", "sampling/createMessage", SpanKind::workflow},
};

}  // namespace

const Dialect mcp{"mcp", "https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/", mcp_rows, mcp_kinds};

}  // namespace tocsin::dialect
