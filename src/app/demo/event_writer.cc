#include "app/demo/event_writer.h"

#include <fmt/format.h>

#include <iterator>

#include "app/demo/random.h"
#include "base/hash.h"
#include "base/time_text.h"

namespace tocsin {

EventLine::EventLine(std::string_view type, EventTime time) {
  json_.reserve(768);
  fmt::format_to(std::back_inserter(json_), R"({{"type":"{}","time":"{}")", type, to_rfc3339(time));
}

EventLine& EventLine::text(std::string_view name, std::string_view value) {
  return raw(name, json_string(value));
}

EventLine& EventLine::number(std::string_view name, std::int64_t value) {
  fmt::format_to(std::back_inserter(json_), R"(,"{}":{})", name, value);
  return *this;
}

EventLine& EventLine::milliseconds(std::string_view name, Duration value) {
  // The tenth follows from the value: the generator's own grain is a millisecond.
  fmt::format_to(std::back_inserter(json_), R"(,"{}":{}.{})", name, value.count(), value.count() * 7 % 10);
  return *this;
}

EventLine& EventLine::usd(std::string_view name, std::int64_t micro_usd) {
  fmt::format_to(std::back_inserter(json_), R"(,"{}":{}.{:06})", name, micro_usd / micros_per_unit,
                 micro_usd % micros_per_unit);
  return *this;
}

EventLine& EventLine::raw(std::string_view name, std::string_view json) {
  fmt::format_to(std::back_inserter(json_), R"(,"{}":{})", name, json);
  return *this;
}

std::string EventLine::finish() const {
  return json_ + '}';
}

std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (c == '\n') {
      json += "\\n";
    } else {
      json += c;  // the templates hold no other control character
    }
  }
  json += '"';
  return json;
}

EventLine EventWriter::line(std::string_view type, EventTime time, std::string_view correlation_id) {
  EventLine line(type, time);
  line.text("event_id", fmt::format("{:016x}", scramble(mix(seed_, hash64("event")) ^ next_id_++)));
  line.text("env", env).text("agent", profile_.agent).text("agent_version", profile_.agent_version);
  line.text("spec", profile_.spec).text("spec_version", profile_.spec_version);
  if (!correlation_id.empty()) line.text("correlation_id", correlation_id);
  return line;
}

void EventWriter::add(EventTime time, std::string_view key, const EventLine& line) {
  events_.push_back({time, std::string(key), line.finish()});
}

std::string EventWriter::correlation_id(std::uint64_t task) const {
  const std::uint64_t agent = mix(seed_, hash64(profile_.agent));
  return fmt::format("{:016x}{:016x}", scramble(agent ^ task), scramble(~agent ^ task << 32));
}

}  // namespace tocsin
