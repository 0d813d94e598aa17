// Pydantic AI and Logfire, beside what they say in the names of OpenTelemetry.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow logfire_rows[] = {
    {"gen_ai.client.operation.time_to_first_chunk", Meaning::ttft, TimeUnit::seconds},
    {"operation.cost", Meaning::cost},
    {"user_id", Meaning::user},
    {"logfire.span_type", Meaning::pending},
    {"pydantic_ai.all_messages", Meaning::content},
    {"final_result", Meaning::content},
};

}  // namespace

const Dialect logfire{"logfire", "https://logfire.pydantic.dev/docs/", logfire_rows, {}};

}  // namespace tocsin::dialect
