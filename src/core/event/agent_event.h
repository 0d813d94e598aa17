// One decoded record, before sanitizing: raw text of people and agents is still in it.
//
// Nothing but the sanitizer may take one: what may be logged, labelled, paged or published is a SanitizedEvent
// (core/sanitize/sanitized_event.h).

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/event/event_fields.h"
#include "core/event/own_attributes.h"

namespace tocsin {

// Where a piece of text stood. `content` and `argument` leave as a reference (keyed hash and length), and `reference`
// is where the deployment's own store has them; the others are known fields, or what no field of ours names.
enum class TextPlace : std::uint8_t { field, key, argument, content, unknown, reference };

struct TextPiece {
  std::uint32_t begin = 0;  // bytes into AgentEvent::text
  std::uint32_t end = 0;
  TextPlace place = TextPlace::unknown;
  std::uint8_t field = 0;  // StringField, where place is `field`; of `reference` 0 for content, 1 for arguments

  // Of what stood in a JSON value: its depth, the value's being 1, and its number in the array that it is an element
  // of; of a key, that of the key's object. Of no JSON value: 0 and no_element. Where nobody could tell: 0 and
  // late_element.
  static constexpr std::uint8_t no_element = 255, late_element = 254;  // the latter: 254 or more
  std::uint8_t depth = 0;
  std::uint8_t element = no_element;
};

// What a door found in the text of an event before it left that out. Views into AgentEvent::text, or empty.
struct CarriedFinding {
  std::string_view pattern, tier, fingerprint, place;
  std::uint32_t times = 1;
};

// What stands in place of content that a door left out.
struct CarriedReference {
  std::string_view hash;  // empty: there is none
  std::uint64_t bytes = 0;
  std::string_view retention;
  bool text_is_cut = false;  // what it kept of the text
};

struct AgentEvent {
  EventFields fields;

  // What its own attributes are called; null: it can have none. Lives as long as the decoder knows it.
  const OwnAttributes* own = nullptr;

  // Every decoded string of the record, keys included, joined with NUL, so that one pass scans them all.
  std::string_view text;
  std::vector<TextPiece> pieces;  // in the order of `text`

  // Numbers and truths among its arguments stand in no text; a hash tells whether they are the same. 0: there are
  // none.
  std::uint64_t argument_scalars = 0;

  std::uint32_t record_bytes = 0;  // of the record as it came

  // Of an event that was sanitized before: a door's wire form carries them.
  std::vector<CarriedFinding> carried_findings;
  CarriedReference carried_content, carried_arguments;
  std::uint32_t carried_redactions = 0;
  bool was_unscanned = false;

  // Only what is known of its task tells whether it is one of ours: without an open task it is nothing.
  bool needs_open_task = false;
  // `user_hash` holds a user's id as it came: only the hash of it may leave.
  bool user_is_raw = false;
  // The agent's name is only what its resource is called: what the task says counts more.
  bool agent_is_guess = false;
  // A root that says nothing of its outcome: it was surfaced, where its task was handed to a person.
  bool outcome_is_guess = false;
};

}  // namespace tocsin
