// A time in which a person does not want to be paged for some alerts, as it stands in the topic of silences.
//
// The topic is compacted; the key is `silence/ID`. A silence ends by its time, or when a person expires it, which
// rewrites its record. It withholds pages and nothing else: alerts fire, halts halt, feeds are written.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "core/alert/label_matcher.h"

namespace tocsin {

constexpr std::string_view silence_prefix = "silence/";  // of keys

struct Silence {
  std::string id;
  std::vector<LabelMatcher> matchers;  // all must match
  EventTime from{};
  EventTime until{};
  std::string by;
  std::string reason;
  EventTime created_at{};
  std::optional<EventTime> expired_at;  // by a person, before its time
  std::string expired_by;
  std::string unknown;  // what a later release added to the record, as JSON: written again with it

  std::string key() const { return std::string(silence_prefix) + id; }
  EventTime ends_at() const { return expired_at && *expired_at < until ? *expired_at : until; }
  bool is_active(EventTime at) const { return at >= from && at < ends_at(); }
  bool matches(std::string_view alert, const Labels& labels) const;
};

// What a person asks for, as a silence. Refused with the reason: no matcher or more than 32, a bad one, matchers that
// any alert meets, an end that is not after the beginning or more than a year after it, no name, no reason.
Result<Silence, std::string> make_silence(const std::vector<std::string>& matchers, EventTime from, EventTime until,
                                          const std::string& by, const std::string& reason, EventTime created_at);

// The JSON of a record's value; one object, no line breaks.
std::string to_json(const Silence& silence);
// Nothing where the text is no such record.
std::optional<Silence> silence_from_json(std::string_view json);

// The command line that silences these labels of this alert and no others for two hours, quoted for a shell. A label
// with an empty value must not be there. `url`: of the service; empty for the command's default.
std::string silence_command(const std::string& alert, const Labels& labels, const std::string& url);

}  // namespace tocsin
