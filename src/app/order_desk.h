// Where people and agents give their word: halts released, drilled and acknowledged, silences added and expired,
// levels accepted as usual.
//
// One request in, one answer and the records that make it true out. What stands behind it is the caller's: the HTTP
// doors have the log in memory, the commands with --kafka the cluster's topics. Paths are those of http_api.h.
//
// Thread: its owner's.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/alert/silence_book.h"
#include "core/halt/halt_book.h"
#include "core/rule/rule_set.h"
#include "core/stage/evaluate_stage.h"
#include "ports/log.h"

namespace tocsin {

struct DeskRequest {
  std::string method;
  std::vector<std::string> path;  // segments: {"v1", "halts", "task:1"}
  std::string body;
};

struct DeskAnswer {
  int status = 200;  // as HTTP has them
  std::string body;  // one JSON object
  std::vector<NewRecord> records;
  std::string log_line;  // once they are written; none where it is empty
};

// What an order about an alert is held against.
struct AlertsNow {
  std::shared_ptr<const RuleSet> rules;
  std::vector<ActiveAlert> firing;
  bool is_all = true;  // else others fire that another process knows
};

class OrderDesk {
 public:
  struct Options {
    std::string deployment;
    bool enforce = false;  // what drills are
  };

  explicit OrderDesk(Options options) : options_(std::move(options)) {}

  // A record of the topic `halts` or `silences`. What an answer holds comes back this way.
  void apply(Topic topic, std::string_view key, std::string_view value);

  // Nothing where it is none of this desk's paths. `stream_now`: by which halts and silences end; the same as `now`
  // unless the events' own times drive the clock.
  // Without `alerts` no order about one is taken.
  std::optional<DeskAnswer> handle(const DeskRequest& request, EventTime now, EventTime stream_now,
                                   const AlertsNow* alerts = nullptr) const;

  const SilenceBook& silences() const { return silences_; }

 private:
  DeskAnswer list_halts(const std::string& scope, EventTime stream_now) const;
  DeskAnswer release(const std::string& body, EventTime stream_now) const;
  DeskAnswer drill(const std::string& body, EventTime now, EventTime stream_now) const;
  static DeskAnswer acknowledge(const std::string& body, EventTime now);
  DeskAnswer list_silences(EventTime stream_now) const;
  DeskAnswer add_silence(const std::string& body, EventTime stream_now) const;
  static DeskAnswer accept_level(const std::string& body, EventTime stream_now, const AlertsNow& alerts);
  DeskAnswer expire_silence(const std::string& body, EventTime stream_now) const;

  Options options_;
  HaltBook halts_;
  SilenceBook silences_;
};

}  // namespace tocsin
