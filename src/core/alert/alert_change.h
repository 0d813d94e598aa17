// One alert that began to fire or was resolved, with all that a person who is woken by it needs.
//
// Ids hold no time, offset or threshold, so that they are the same after any crash:
//   alert id = hash(deployment, alert, group labels)
//   page id  = alert id : episode : kind            kind: firing or resolved

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "core/rule/rule.h"

namespace tocsin {

using Labels = std::vector<std::pair<std::string, std::string>>;

struct AlertExample {
  std::string correlation_id;
  Labels links;  // name, address
};

struct AlertChange {
  RecordTime at;
  std::string alert;
  bool firing = true;
  Labels labels;  // the group's, then the rule's own; no empty values
  Labels annotations;
  double value = unknown_number;
  double baseline = unknown_number;
  std::int64_t samples = 0;
  std::int64_t episode = 0;
  std::string reason;
  std::optional<std::string> page_id;  // of the page that covers it; none where no page does
  bool sends_page = false;             // false where that page is out already: one page may cover many alerts

  // What only pages carry.
  std::string alert_id;
  std::string dedup_key;   // alert id : episode, by which receivers join a resolution to its trigger
  std::string value_unit;  // "usd", "seconds" or empty
  std::string condition;   // as the rule has it
  // The same with numbers in the places of names, and in which minute the window's first event lies and by when its
  // last one came. Not stored: alerts that fired before a restart are listed without.
  std::string evaluated;
  std::optional<RecordTime> first_event, last_event;
  Duration window{};
  RecordTime since;         // when the condition became true
  Labels versions;          // of agent, spec and model
  Labels changed_versions;  // those that were not there an hour before, with the value before
  std::vector<AlertExample> examples;
  std::string halt;  // "", "HALTED", "WOULD HALT", "HELD"
  std::string halt_id;
  std::string halt_scope;
  std::string command;  // what silences or releases
  Actions actions;
};

std::string alert_id(std::string_view deployment, std::string_view alert, const Labels& group_labels);
std::string page_id(std::string_view alert_id, std::int64_t episode, bool firing);

// One line of `replay -o json`.
std::string to_replay_json(const AlertChange& change);

// The body of a page, as webhooks receive it (docs: deploy/README.md).
std::string to_page_json(const AlertChange& change);

// The page id in such a body; empty where it is no page.
std::string page_id_in(std::string_view page_json);

// The records of tocsin.investigations and tocsin.spec-gaps.
std::string to_feed_json(const AlertChange& change, std::string_view feed);

// "agent=support env=prod": for logs and people.
std::string to_text(const Labels& labels);

// Why alerts end when rules are edited.
inline constexpr std::string_view rule_removed = "the rule was removed";
inline constexpr std::string_view rule_regrouped = "the rule groups by other labels now";

}  // namespace tocsin
