#include "traffic.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string_view>

#include "app/demo/run_generator.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

constexpr std::string_view agent_format = "agent-{:05}";

// Of a day's 40,000 events: few enough to stay in the caches, as records do that have just arrived.
constexpr std::size_t one_in = 10;

// The generator leaves the content of a call empty; agents in the field send what they thought. With it an event
// has about 600 bytes.
constexpr std::string_view thinking =
    R"("content":{"output":"The order is there, but its second parcel has no carrier yet: \"awaiting pickup\" since )"
    R"(Friday. Before I promise a date I look up the stock of the warehouse in Rotterdam and the price that was agreed.\n)"
    R"(Plan: 1. read the order, 2. read the shipment of each line, 3. compare with the policy for delays, 4. answer in )"
    R"(one short paragraph with the new date, and offer to cancel the open line without a fee."})";

std::size_t value_at(const std::string& json, std::string_view name) {
  const std::string written = fmt::format("\"{}\":\"", name);
  const std::size_t at = json.find(written);
  return at == std::string::npos ? at : at + written.size();
}

void put(std::string& text, std::size_t at, std::string_view part) {
  if (at != std::string::npos) text.replace(at, part.size(), part);
}

void replace_value(std::string& json, std::string_view name, std::string_view text) {
  const std::size_t at = value_at(json, name);
  if (at != std::string::npos) json.replace(at, json.find('"', at) - at, text);
}

}  // namespace

Traffic Traffic::generated() {
  GeneratorOptions options;
  options.days = 1;
  options.incidents = false;
  Traffic traffic;
  std::map<std::string, std::size_t> keys;
  std::size_t states = 0;
  for (GeneratedEvent& event : generate_runs(options).events) {
    const bool is_state = event.json.starts_with(R"({"type":"system")");
    const std::size_t number = is_state ? states++ : keys.emplace(event.key, keys.size()).first->second;
    if (number % one_in != 0) continue;
    const std::size_t empty = event.json.find(R"("content":{})");
    if (empty != std::string::npos) event.json.replace(empty, 12, thinking);
    traffic.add(std::move(event.key), std::move(event.json));
  }
  traffic.finish();
  return traffic;
}

Traffic Traffic::airline() {
  const char* const given = std::getenv("TOCSIN_DATA");
  std::ifstream file(given != nullptr ? given : PROJECT_ROOT "/../shared/data/airline/events.jsonl");
  Traffic traffic;
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) traffic.add(line.substr(0, tab), line.substr(tab + 1));
  }
  traffic.finish();
  return traffic;
}

void Traffic::add(std::string key, std::string value) {
  Record record;
  record.key = std::move(key);
  record.value = std::move(value);
  records_.push_back(std::move(record));
}

void Traffic::finish() {
  std::map<std::string, std::size_t> tasks;
  for (Record& record : records_) {
    record.time_at = value_at(record.value, "time");
    record.event_id_at = value_at(record.value, "event_id");
    record.correlation_at = value_at(record.value, "correlation_id");
    const auto event = nlohmann::json::parse(record.value);
    const std::string type = event.at("type");
    record.moves_task = type.starts_with("task.");
    const bool of_task = record.moves_task || type == "step" || type == "tool.call";
    if (of_task) record.task = tasks.emplace(record.key, tasks.size()).first->second;
    if (type == "task.started") ++sums_.tasks;
    if (type == "tool.call") ++sums_.tool_calls;
    if (type != "step" || !event.contains("tokens_in")) continue;
    ++sums_.model_calls;
    sums_.tokens_in += event.at("tokens_in").get<std::int64_t>();
    sums_.tokens_out += event.at("tokens_out").get<std::int64_t>();
    sums_.cost += std::llround(event.at("cost_usd").get<double>() * 1e6);
  }
}

void Traffic::use_agents(std::size_t count) {
  agents_ = count;
  for (Record& record : records_) {
    replace_value(record.value, "agent", fmt::format(agent_format, 0));
    replace_value(record.value, "spec", "support-policy");  // one an agent
    replace_value(record.value, "spec_version", "2.1");
    record.agent_at = value_at(record.value, "agent");
    record.time_at = value_at(record.value, "time");
    record.event_id_at = value_at(record.value, "event_id");
    record.correlation_at = value_at(record.value, "correlation_id");
  }
}

void Traffic::begin_pass(std::chrono::microseconds every, bool same_agents) {
  // The tail of each id is the number of the pass; what stands before it is different within one.
  const std::string task_tail = fmt::format("{:08x}", passes_);
  const std::string event_tail = fmt::format("{:06x}", passes_ & 0xffffff);
  if (agents_ > 0 && !same_agents) first_agent_ += static_cast<std::size_t>(sums_.tasks);
  const RecordTime begin = now_;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    Record& record = records_[i];
    const RecordTime time = begin + std::chrono::duration_cast<Duration>(every * static_cast<std::int64_t>(i + 1));
    record.cuts = floor_to(time, slice_length) > floor_to(now_, slice_length);
    record.time = now_ = time;
    ++record.offset;
    put(record.value, record.time_at, to_rfc3339(as_event_time(time)).substr(0, 23));
    if (record.event_id_at != std::string::npos) put(record.value, record.event_id_at + 10, event_tail);
    if (record.correlation_at != std::string::npos) {
      put(record.value, record.correlation_at + 24, task_tail);
      put(record.key, 24, task_tail);
    }
    if (agents_ > 0)
      put(record.value, record.agent_at, fmt::format(agent_format, (first_agent_ + record.task) % agents_));
  }
  ++passes_;
}

void Traffic::skip(Duration length) {
  now_ = ceil_to(now_ + length, slice_length);
}

std::size_t Traffic::bytes() const {
  std::size_t bytes = 0;
  for (const Record& record : records_) bytes += record.value.size();
  return bytes;
}

}  // namespace tocsin
