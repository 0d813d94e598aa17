// The rules by which records_before/records.txt was written: its blocks bear their hash.

#pragma once

#include <string_view>

namespace tocsin::test {

inline constexpr std::string_view record_rules = R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: tool.call, where: has(error_type), values: {value: count(), tasks: distinct(correlation_id)}, window: 5m, when: value >= 3 && tasks >= 1}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [env, agent, correlation_id, secret.pattern], actions: [{halt: task}, page], resolve: manual}
  - {alert: Over, mode: task, when: elapsed > 5m, page_by: [env, agent]}
)";

}  // namespace tocsin::test
