// Writes generated events as lines of native JSON: the fields that every event has, then its own.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/demo/agent_profile.h"
#include "app/demo/run_generator.h"

namespace tocsin {

// The fields of one event that is being written, in the order of the calls. Names and raw values are trusted.
class EventLine {
 public:
  EventLine(std::string_view type, EventTime time);

  EventLine& text(std::string_view name, std::string_view value);
  EventLine& number(std::string_view name, std::int64_t value);
  EventLine& milliseconds(std::string_view name, Duration value);  // with one fraction digit, as telemetry has them
  EventLine& usd(std::string_view name, std::int64_t micro_usd);
  EventLine& raw(std::string_view name, std::string_view json);

  std::string finish() const;

 private:
  std::string json_;
};

// `text` as a JSON string, quotes included.
std::string json_string(std::string_view text);

// All events of one agent; numbers them, so that each gets an id of its own.
class EventWriter {
 public:
  static constexpr std::string_view env = "prod";

  // `number`: of the agent, below 256, so that no two agents share an id.
  EventWriter(const AgentProfile& profile, std::uint64_t seed, std::uint64_t number)
      : profile_(profile), seed_(seed), next_id_(number << 56) {}

  // From here on ids are of this part of the agent's events, so that more or fewer events in one part leave the
  // ids of the others as they are. Requires: part < 256, each once.
  void begin_part(std::uint64_t part) { next_id_ = (next_id_ >> 56 << 56) + (part << 48); }

  // An event of the agent; of a task, where there is a correlation id.
  EventLine line(std::string_view type, EventTime time, std::string_view correlation_id = {});
  void add(EventTime time, std::string_view key, const EventLine& line);

  // 32 hexadecimal digits, different for each task of each agent.
  std::string correlation_id(std::uint64_t task) const;

  const AgentProfile& profile() const { return profile_; }
  std::vector<GeneratedEvent> take() { return std::move(events_); }

 private:
  const AgentProfile& profile_;
  std::uint64_t seed_;
  std::uint64_t next_id_;
  std::vector<GeneratedEvent> events_;
};

}  // namespace tocsin
