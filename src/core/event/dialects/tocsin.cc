// Tocsin's own attributes, for what no other dialect says.

#include "core/event/dialects/tables.h"

namespace tocsin::dialect {

namespace {

constexpr DialectRow tocsin_rows[] = {
    {"tocsin.task.id", Meaning::task_id},
    {"tocsin.task.outcome", Meaning::outcome},
    {"tocsin.task.surface_reason", Meaning::surface_reason},
    {"tocsin.task.budget.wall_clock_s", Meaning::budget_wall_clock, TimeUnit::seconds},
    {"tocsin.task.budget.tokens", Meaning::budget_tokens},
    {"tocsin.task.budget.cost_usd", Meaning::budget_cost},
    {"tocsin.agent", Meaning::agent},
    {"tocsin.agent.version", Meaning::agent_version},
    {"tocsin.spec.name", Meaning::spec},
    {"tocsin.spec.version", Meaning::spec_version},
    {"tocsin.model.tier", Meaning::model_tier},
    {"tocsin.cost.usd", Meaning::cost},
    {"tocsin.tool.authz.outcome", Meaning::authz},
    {"tocsin.tool.authz.reason", Meaning::authz_reason},
    {"tocsin.tool.side_effect", Meaning::side_effect},
    {"tocsin.content_ref", Meaning::content_ref},
    {"tocsin.arguments_ref", Meaning::arguments_ref},
    {"tocsin.agent.concurrent_tasks", Meaning::concurrent_tasks},
    {"tocsin.agent.queue_depth", Meaning::queue_depth},
    {"tocsin.agent.cost_per_hour_usd", Meaning::cost_per_hour},
};

}  // namespace

const Dialect tocsin{"tocsin", "README.md", tocsin_rows, {}};

}  // namespace tocsin::dialect
