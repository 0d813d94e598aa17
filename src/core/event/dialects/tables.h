// The tables of all dialects; core/event/dialect.h says what they mean.

#pragma once

#include "core/event/dialect.h"

namespace tocsin::dialect {

extern const Dialect tocsin;
extern const Dialect otel_genai;
extern const Dialect mcp;
extern const Dialect openinference;
extern const Dialect openllmetry;
extern const Dialect langfuse;
extern const Dialect langsmith;
extern const Dialect google_adk;
extern const Dialect logfire;
extern const Dialect vercel_ai;
extern const Dialect claude_code;
extern const Dialect langsmith_runs;
extern const Dialect langfuse_ingestion;
extern const Dialect datadog;
extern const Dialect helicone;
extern const Dialect resource;

}  // namespace tocsin::dialect
