#include "core/rule/load_names.h"

#include <algorithm>
#include <string_view>

namespace tocsin {

namespace {

constexpr std::size_t longest_name = 256;
constexpr std::size_t most_names = 1'000;

struct Field {
  std::string_view key;
  Meaning meaning;
  TimeUnit unit = TimeUnit::none;
};
constexpr Field fields[] = {
    {"correlation_id", Meaning::task_id},
    {"agent", Meaning::agent},
    {"agent_version", Meaning::agent_version},
    {"env", Meaning::env},
    {"spec", Meaning::spec},
    {"spec_version", Meaning::spec_version},
    {"session_id", Meaning::session_id},
    {"model", Meaning::request_model},
    {"response_model", Meaning::response_model},
    {"model_tier", Meaning::model_tier},
    {"tool", Meaning::tool},
    {"call_id", Meaning::call_id},
    {"error_type", Meaning::error_type},
    {"outcome", Meaning::outcome},
    {"surface_reason", Meaning::surface_reason},
    {"authz", Meaning::authz},
    {"authz_reason", Meaning::authz_reason},
    {"side_effect", Meaning::side_effect},
    {"finish_reason", Meaning::finish_reason},
    {"tokens_in", Meaning::tokens_in},
    {"tokens_out", Meaning::tokens_out},
    {"tokens_cached", Meaning::tokens_cached},
    {"tokens_cache_write", Meaning::tokens_cache_write},
    {"cost_usd", Meaning::cost},
    {"ttft_s", Meaning::ttft, TimeUnit::seconds},
    {"ttft_ms", Meaning::ttft, TimeUnit::milliseconds},
    {"budget_wall_clock_s", Meaning::budget_wall_clock, TimeUnit::seconds},
    {"budget_tokens", Meaning::budget_tokens},
    {"budget_cost_usd", Meaning::budget_cost},
    {"concurrent_tasks", Meaning::concurrent_tasks},
    {"queue_depth", Meaning::queue_depth},
    {"cost_per_hour", Meaning::cost_per_hour},
    {"content", Meaning::content},
    {"arguments", Meaning::argument},
    {"content_ref", Meaning::content_ref},
    {"arguments_ref", Meaning::arguments_ref},
};

}  // namespace

void load_names(const YamlNode& node, const std::string& file, OwnNames& names, Diagnostics& diagnostics) {
  YamlReader reader(node, file, "names", diagnostics);
  if (!reader.is_map()) return;
  for (const Field& field : fields) {
    const auto list = reader.texts(field.key);
    if (!list) continue;
    const YamlNode& at = *reader.find(field.key);
    for (const std::string& name : *list) {
      if (name.empty() || name.size() > longest_name) {
        reader.error(at, "bad-name", "a name of an attribute has 1 to 256 bytes");
        continue;
      }
      const bool is_there =
          std::any_of(names.fields.begin(), names.fields.end(), [&](const OwnName& one) { return one.name == name; });
      if (is_there) {
        reader.error(at, "repeated-name", "the attribute '" + name + "' gives a field already");
        continue;
      }
      if (names.fields.size() >= most_names) {
        reader.error(at, "too-many", "there are 1,000 names already, which is the limit");
        return;
      }
      names.fields.push_back({name, field.meaning, field.unit});
    }
  }
  for (const std::string& tool : reader.texts("hand_over_tools").value_or(std::vector<std::string>{})) {
    if (tool.empty() || tool.size() > longest_name || names.hand_over_tools.size() >= most_names) {
      reader.error(*reader.find("hand_over_tools"), "bad-name",
                   "a name of a tool has 1 to 256 bytes, and there are 1,000 of them at most");
      break;
    }
    names.hand_over_tools.push_back(tool);
  }
}

}  // namespace tocsin
