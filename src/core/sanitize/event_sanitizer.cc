#include "core/sanitize/event_sanitizer.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

// Longer names are cut: labels, ids and topics stay bounded whatever telemetry says.
constexpr std::size_t longest_field = 256;
constexpr std::size_t most_users = 10'000;  // whose hashes are at hand

std::string_view cut(std::string_view text) {
  std::size_t end = longest_field;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

bool is_fingerprint(std::string_view text) {
  constexpr std::size_t digits = 16;
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

const TextPiece* piece_at(const std::vector<TextPiece>& pieces, std::uint32_t offset) {
  const auto after = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                      [](std::uint32_t at, const TextPiece& piece) { return at < piece.begin; });
  return after == pieces.begin() ? nullptr : &*(after - 1);
}

}  // namespace

std::string place_of(const Finding& finding) {
  switch (finding.place) {
    case TextPlace::field:
      return finding.field ? std::string(name_of(*finding.field)) : "field";
    case TextPlace::key:
      return "key";
    case TextPlace::argument:
      return "arguments";
    case TextPlace::content:
      return "content";
    case TextPlace::unknown:
      break;
  }
  return "unknown field";
}

void set_place(Finding& finding, std::string_view word) {
  finding.place = word == "key"         ? TextPlace::key
                  : word == "arguments" ? TextPlace::argument
                  : word == "content"   ? TextPlace::content
                                        : TextPlace::unknown;
  finding.field = string_field_named(word);
  if (finding.field || word == "field") finding.place = TextPlace::field;
}

EventSanitizer::EventSanitizer(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter)
    : scanner_(std::move(library)), fingerprinter_(std::move(fingerprinter)) {}

void EventSanitizer::know(std::shared_ptr<const PatternLibrary> library) {
  if (library.get() != &scanner_.library()) scanner_ = Scanner(std::move(library));
}

SanitizedEvent& EventSanitizer::sanitize(const AgentEvent& event) {
  sanitized_.fields_ = event.fields;
  sanitized_.findings_.clear();
  sanitized_.redactions_ = 0;
  sanitized_.cost_is_computed_ = false;
  const std::span<const Match> matches = scanner_.scan(event.text);
  sanitized_.is_unscanned_ = scanner_.last_scan_was_cut();
  if (!matches.empty()) redact_fields(event, matches);
  if (event.user_is_raw) hash_user(event);
  take_carried(event);
  for (std::string_view& text : sanitized_.fields_.strings) {
    if (text.size() > longest_field) text = cut(text);
  }
  return sanitized_;
}

void EventSanitizer::hash_user(const AgentEvent& event) {
  const std::string_view user = event.fields.get(StringField::user_hash);
  if (user.empty()) return;
  if (hashes_of_users_.size() >= most_users) hashes_of_users_.clear();
  const auto [place, is_new] = hashes_of_users_.try_emplace(hash128(user));
  if (is_new) place->second = fingerprinter_.of(user);
  sanitized_.fields_.set(StringField::user_hash, place->second);
}

// A pattern that this library does not have, a newer door's, keeps its tier and loses its name: names are labels.
void EventSanitizer::take_carried(const AgentEvent& event) {
  sanitized_.agent_is_guess_ = event.agent_is_guess;
  sanitized_.needs_open_task_ = event.needs_open_task;
  sanitized_.outcome_is_guess_ = event.outcome_is_guess;
  sanitized_.is_unscanned_ = sanitized_.is_unscanned_ || event.was_unscanned;
  sanitized_.redactions_ += event.carried_redactions;
  for (const CarriedFinding& carried : event.carried_findings) {
    if (!is_fingerprint(carried.fingerprint)) continue;
    Finding finding;
    finding.pattern = "unknown";
    for (const Tier tier : {Tier::page, Tier::halt}) {
      if (carried.tier == to_text(tier)) finding.tier = tier;
    }
    for (const Pattern& pattern : library().patterns()) {
      if (pattern.id != carried.pattern) continue;
      finding.pattern = pattern.id;
      finding.tier = pattern.tier;
    }
    if (finding.tier == Tier::pii) continue;
    finding.fingerprint = carried.fingerprint;
    set_place(finding, carried.place);
    finding.times = carried.times;
    sanitized_.findings_.push_back(std::move(finding));
  }
}

void EventSanitizer::redact_fields(const AgentEvent& event, std::span<const Match> matches) {
  redacted_.clear();
  redacted_.reserve(string_field_count);  // views into them must not move
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const Match& match = matches[i];
    const Pattern& pattern = library().patterns()[match.pattern];
    const TextPiece* piece = piece_at(event.pieces, match.begin);
    if (piece == nullptr) continue;
    if (pattern.tier == Tier::pii) {
      ++sanitized_.redactions_;
    } else if (match.part_of == Match::whole) {
      note_finding(event, match, *piece);
    }
    if (piece->place != TextPlace::field) continue;
    // All matches of this field at once, at its first.
    if (i > 0 && matches[i - 1].begin >= piece->begin) continue;
    std::string text;
    std::uint32_t at = piece->begin;
    for (std::size_t j = i; j < matches.size() && matches[j].begin < piece->end; ++j) {
      const Match& inner = matches[j];
      text.append(event.text.substr(at, inner.begin - at));
      text += "[" + library().patterns()[inner.pattern].short_name + ":" +
              fingerprinter_.of(event.text, inner, library()).substr(0, 8) + "]";
      at = std::min(inner.end, piece->end);
    }
    text.append(event.text.substr(at, piece->end - at));
    redacted_.push_back(std::move(text));
    sanitized_.fields_.set(static_cast<StringField>(piece->field), redacted_.back());
  }
}

void EventSanitizer::note_finding(const AgentEvent& event, const Match& match, const TextPiece& piece) {
  const Pattern& pattern = library().patterns()[match.pattern];
  std::string fingerprint = fingerprinter_.of(event.text, match, library());
  for (Finding& known : sanitized_.findings_) {
    if (known.pattern == pattern.id && known.fingerprint == fingerprint) {
      ++known.times;
      return;
    }
  }
  Finding finding;
  finding.pattern = pattern.id;
  finding.tier = pattern.tier;
  finding.fingerprint = std::move(fingerprint);
  finding.place = piece.place;
  if (piece.place == TextPlace::field) finding.field = static_cast<StringField>(piece.field);
  sanitized_.findings_.push_back(std::move(finding));
}

std::optional<ContentReference> EventSanitizer::reference(const AgentEvent& event, TextPlace place) const {
  const CarriedReference& carried = place == TextPlace::content ? event.carried_content : event.carried_arguments;
  if (is_fingerprint(carried.hash)) return ContentReference{std::string(carried.hash), carried.bytes};
  std::string all;
  for (const TextPiece& piece : event.pieces) {
    if (piece.place != place) continue;
    all.append(event.text.substr(piece.begin, piece.end - piece.begin));
    all += '\0';
  }
  if (all.empty()) return std::nullopt;
  return ContentReference{fingerprinter_.of(all), all.size()};
}

}  // namespace tocsin
