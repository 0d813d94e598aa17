// AgentEvent -> SanitizedEvent: every string of the event is scanned, and what would leave is redacted.

#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "core/event/agent_event.h"
#include "core/sanitize/clean_texts.h"
#include "core/sanitize/fingerprint.h"
#include "core/sanitize/sanitized_event.h"
#include "core/sanitize/scanner.h"

namespace tocsin {

// Thread: one a shard.
class EventSanitizer {
 public:
  EventSanitizer(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter);

  // By which patterns it scans from the next event on.
  void know(std::shared_ptr<const PatternLibrary> library);

  // Valid until the next call, and no longer than `event`. Allocates only for an event with a finding.
  SanitizedEvent& sanitize(const AgentEvent& event);

  // The reference to all content of an event, or of its arguments (`place`: content or argument); nothing where it
  // has none. Costs a keyed hash, so it is made only where events are published.
  // Requires: `event` is the one that sanitize() was last given.
  std::optional<ContentReference> reference(const AgentEvent& event, TextPlace place) const;

  const PatternLibrary& library() const { return scanner_.library(); }

 private:
  void hash_field(StringField field);
  bool is_kept(StringField field) const;
  void take_carried(const AgentEvent& event);
  void lay_out(const AgentEvent& event);
  void lay_out_pieces(const AgentEvent& event);
  void scan_short_fields();
  void redact_fields(std::string_view text, std::span<const TextPiece> pieces, std::span<const Match> matches);
  // `matches`: of all in `rest_`.
  std::string redacted_piece(const TextPiece& piece, std::span<const Match> matches) const;
  void take_uris(std::span<const Match> matches);
  void finish_uris();
  void keep_texts(const AgentEvent& event, std::span<const Match> matches);
  void finish_texts(const AgentEvent& event);
  bool redact_again(std::string& text);
  void note_finding(const Match& match, const TextPiece& piece, std::string_view text,
                    std::span<const TextPiece> pieces, std::span<const Match> matches);

  Scanner scanner_;
  Fingerprinter fingerprinter_;
  SanitizedEvent sanitized_;
  // What is scanned of an event: short fields, each by itself and only where it is not known to be clean, and the
  // rest. What is found does not hang on what is known.
  CleanTexts clean_;
  std::string_view rest_;  // of the event's text where it stands there in one, else of `joined_`
  std::string joined_, short_fields_;
  std::vector<TextPiece> rest_pieces_, short_pieces_;
  std::map<Hash128, std::string> hashes_;  // of users, and of fields that rules want hashed
  // What references say besides: of content, and of arguments. Empty in most events.
  struct Beside {
    std::vector<std::string> uris;
    std::optional<std::string> text;
    bool text_is_cut = false;
  };
  std::array<Beside, 2> beside_;
  bool has_uris_ = false;
  std::vector<std::string> redacted_;  // owns the texts of redacted fields until the next event
};

}  // namespace tocsin
