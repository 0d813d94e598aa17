// Google's Agent Development Kit, beside what it says in the names of OpenTelemetry.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow google_adk_rows[] = {
    {"gcp.vertex.agent.session_id", Meaning::session_id},
    {"gcp.vertex.agent.user_id", Meaning::user},
    {"gcp.vertex.agent.tool_call_args", Meaning::argument},
    {"gcp.vertex.agent.tool_response", Meaning::content},
    {"gcp.vertex.agent.llm_request", Meaning::content},
    {"gcp.vertex.agent.llm_response", Meaning::content},
    {"gcp.vertex.agent.data", Meaning::content},
};

}  // namespace

const Dialect google_adk{"google_adk", "https://google.github.io/adk-docs/observability/", google_adk_rows, {}};

}  // namespace tocsin::dialect
