// What the resource says of all its spans.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow resource_rows[] = {
    {"deployment.environment.name", Meaning::env, TimeUnit::none, "1.27"},
    {"deployment.environment", Meaning::env},
    {"service.version", Meaning::agent_version},
};

}  // namespace

const Dialect resource{"resource", "https://opentelemetry.io/docs/specs/semconv/resource/", resource_rows, {}};

}  // namespace tocsin::dialect
