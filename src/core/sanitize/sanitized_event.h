// An event that may leave: redacted fields, findings, and references in place of content.
//
// Only EventSanitizer makes one. Logs, labels, pages and topics take nothing else, so that the compiler keeps
// what people and agents wrote inside the ingest stage.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/agent_event.h"
#include "core/sanitize/pattern_library.h"

namespace tocsin {

// A secret that stood in an event, by name and keyed fingerprint; never a byte of it.
struct Finding {
  std::string_view pattern;  // the library's, hence valid as long as it
  Tier tier = Tier::count;
  std::string fingerprint;  // 16 hexadecimal digits
  TextPlace place = TextPlace::unknown;
  std::optional<StringField> field;  // where place is `field`
  std::string own_field;             // what it is called, where it is a deployment's own
  std::string path;                  // in JSON of content or arguments, as finding_path() makes it; may be empty
  std::uint32_t times = 1;           // in this event
  // Its fingerprints under former keys, where an allowance may name one. Not in the wire form.
  std::vector<std::string> former;
};

// "content.messages[2].text", "arguments", the name of a field: where a finding stood, for people; and what that
// says.
std::string place_of(const Finding& finding);
void set_place(Finding& finding, std::string_view text, const OwnAttributes* own);

// Whether somebody vouches for the finding at `now`, by its fingerprint, pattern or place.
bool is_allowed(const Finding& finding, std::span<const Allowance> allowances, RecordTime now);

// What stands for content: whether two are the same can be told, what they say can not.
struct ContentReference {
  std::string hash;  // keyed, 16 hexadecimal digits; empty where the event carries but the names in `uris`
  std::uint64_t bytes = 0;
  std::string retention;          // for how long a consumer may keep what this names: "30d", or a name
  std::vector<std::string> uris;  // where the deployment's own store has it, without credentials
  // Only where the deployment asks for it: what it says, redacted. Topic `events` alone may carry it, and records
  // between a door and ingest.
  std::optional<std::string> text;
  bool text_is_cut = false;
};

class SanitizedEvent {
 public:
  const EventFields& fields() const { return fields_; }
  // What its own attributes are called; null: it can have none.
  const OwnAttributes* own_attributes() const { return own_; }
  std::span<const Finding> findings() const { return {findings_.data(), findings_.size()}; }
  // How many pieces of personal data were redacted.
  std::uint32_t redactions() const { return redactions_; }
  // The scan ran out of its budget: some text is unscanned, which is not clean.
  bool is_unscanned() const { return is_unscanned_; }

  // By a door: what it says of the event besides.
  bool agent_is_guess() const { return agent_is_guess_; }
  bool needs_open_task() const { return needs_open_task_; }
  bool outcome_is_guess() const { return outcome_is_guess_; }

  // Fills a field that the event does not carry from what its task is known to be.
  void fill(StringField field, std::string_view value) {
    if (!fields_.has(field) && !value.empty()) fields_.set(field, value);
  }

  // Takes a field out, to be filled in again once it is known that nothing better is.
  std::string_view take_off(StringField field) {
    const std::string_view value = fields_.get(field);
    fields_.strings[static_cast<std::size_t>(field)] = {};
    fields_.strings_present &= ~bit_of(field);
    return value;
  }

  // Another event has said the same: what is left of this one is that its task lives.
  void become_heartbeat() {
    fields_.type = EventType::task_heartbeat;
    fields_.numbers_present = 0;
    fields_.enums = {};
  }

  // Of the end of a task that was handed to a person, where the end itself says nothing.
  void become_surfaced() { fields_.set(EnumField::outcome, static_cast<std::uint8_t>(Outcome::surfaced)); }

  void fill(NumberField field, std::int64_t value) {
    if (!fields_.has(field)) fields_.set(field, value);
  }

  // What it cost by the table of prices. Requires: the event does not say so itself.
  void set_computed_cost(std::int64_t micro_usd) {
    fields_.set(NumberField::cost, micro_usd);
    cost_is_computed_ = true;
  }
  bool cost_is_computed() const { return cost_is_computed_; }

 private:
  friend class EventSanitizer;
  EventFields fields_;
  const OwnAttributes* own_ = nullptr;
  std::vector<Finding> findings_;
  std::uint32_t redactions_ = 0;
  bool is_unscanned_ = false;
  bool cost_is_computed_ = false;
  bool agent_is_guess_ = false;
  bool needs_open_task_ = false;
  bool outcome_is_guess_ = false;
};

}  // namespace tocsin
