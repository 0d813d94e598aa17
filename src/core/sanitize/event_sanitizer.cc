#include "core/sanitize/event_sanitizer.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

// Longer names are cut: labels, ids and topics stay bounded whatever telemetry says.
constexpr std::size_t longest_field = 256;

std::string_view cut(std::string_view text) {
  std::size_t end = longest_field;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

const TextPiece* piece_at(const std::vector<TextPiece>& pieces, std::uint32_t offset) {
  const auto after = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                      [](std::uint32_t at, const TextPiece& piece) { return at < piece.begin; });
  return after == pieces.begin() ? nullptr : &*(after - 1);
}

}  // namespace

EventSanitizer::EventSanitizer(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter)
    : scanner_(std::move(library)), fingerprinter_(std::move(fingerprinter)) {}

SanitizedEvent& EventSanitizer::sanitize(const AgentEvent& event) {
  sanitized_.fields_ = event.fields;
  sanitized_.findings_.clear();
  sanitized_.redactions_ = 0;
  sanitized_.cost_is_computed_ = false;
  const std::span<const Match> matches = scanner_.scan(event.text);
  sanitized_.is_unscanned_ = scanner_.last_scan_was_cut();
  if (!matches.empty()) redact_fields(event, matches);
  for (std::string_view& text : sanitized_.fields_.strings) {
    if (text.size() > longest_field) text = cut(text);
  }
  return sanitized_;
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
