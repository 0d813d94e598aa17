#include "core/sanitize/event_sanitizer.h"

#include <algorithm>
#include <utility>

#include "core/sanitize/checks.h"
#include "core/sanitize/finding_path.h"
#include "core/sanitize/matcher.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/store_uri.h"

namespace tocsin {

namespace {

// Longer names are cut: labels, ids and topics stay bounded whatever telemetry says.
constexpr std::size_t longest_field = 256;
constexpr std::size_t most_hashes = 10'000;  // that are at hand
constexpr std::size_t most_uris = 8;         // of one reference
constexpr std::size_t longest_side_effect = 64;

// Ends at a code point. Requires: text.size() > size.
std::string_view cut(std::string_view text, std::size_t size) {
  std::size_t end = size;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// What was done, without what it was done with: a few words, up to where content would begin. "mail.send: Dear ..."
// is "mail.send"; where nothing is left, the word that stands for what has no name.
std::string_view action_in(std::string_view text) {
  text = text.substr(0, std::min({text.find_first_of("\"`{}<>\r\n\t"), text.find(": "), text.size()}));
  if (text.size() > longest_side_effect) text = cut(text, longest_side_effect);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text.find_first_not_of(' ') == std::string_view::npos ? "other" : text;
}

ContentField field_of(const AgentEvent& event, TextPlace place) {
  if (place == TextPlace::argument) return ContentField::arguments;
  return event.fields.type == EventType::tool_call ? ContentField::results : ContentField::content;
}

// Only what is there: all of them are half a kilobyte. A number that is not present is never read.
void take_fields(EventFields& to, const EventFields& from) {
  for (StringMask set = to.strings_present & ~from.strings_present; set != 0; set &= set - 1) {
    to.strings[static_cast<std::size_t>(__builtin_ctzll(set))] = {};
  }
  for (StringMask set = from.strings_present; set != 0; set &= set - 1) {
    const auto at = static_cast<std::size_t>(__builtin_ctzll(set));
    to.strings[at] = from.strings[at];
  }
  for (std::uint32_t set = from.numbers_present; set != 0; set &= set - 1) {
    const auto at = static_cast<std::size_t>(__builtin_ctz(set));
    to.numbers[at] = from.numbers[at];
  }
  to.type = from.type;
  to.time = from.time;
  to.enums = from.enums;
  to.strings_present = from.strings_present;
  to.numbers_present = from.numbers_present;
}

// What an attribute of a deployment's own is called stands before it, and may say that it is a secret: it goes with
// the rest.
bool is_short_field(const TextPiece& piece) {
  return piece.place == TextPlace::field && piece.field < string_field_count &&
         piece.end - piece.begin <= CleanTexts::longest;
}

void add_piece(std::vector<TextPiece>& pieces, TextPiece piece, std::size_t at) {
  piece.end = static_cast<std::uint32_t>(at + piece.end - piece.begin);
  piece.begin = static_cast<std::uint32_t>(at);
  pieces.push_back(piece);
}

const TextPiece* piece_at(std::span<const TextPiece> pieces, std::uint32_t offset) {
  const auto after = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                      [](std::uint32_t at, const TextPiece& piece) { return at < piece.begin; });
  return after == pieces.begin() ? nullptr : &*(after - 1);
}

}  // namespace

namespace {

std::string word_of(const Finding& finding) {
  switch (finding.place) {
    case TextPlace::field:
      if (!finding.own_field.empty()) return finding.own_field;
      return finding.field ? std::string(name_of(*finding.field)) : "field";
    case TextPlace::key:
      return "key";
    case TextPlace::argument:
      return "arguments";
    case TextPlace::content:
      return "content";
    case TextPlace::reference:
      return "content_ref";
    case TextPlace::unknown:
      break;
  }
  return "unknown field";
}

}  // namespace

std::string place_of(const Finding& finding) {
  return word_of(finding) + finding.path;
}

void set_place(Finding& finding, std::string_view text, const OwnAttributes* own) {
  const std::string_view word = text.substr(0, text.find_first_of(".["));
  finding.place = word == "key"           ? TextPlace::key
                  : word == "arguments"   ? TextPlace::argument
                  : word == "content"     ? TextPlace::content
                  : word == "content_ref" ? TextPlace::reference
                                          : TextPlace::unknown;
  finding.field = string_field_named(word, own);
  if (finding.field && is_own(*finding.field)) finding.own_field = word;
  if (finding.field || word == "field") finding.place = TextPlace::field;
  const bool may_have_path = finding.place == TextPlace::argument || finding.place == TextPlace::content;
  const std::string_view path = text.substr(word.size());
  if (may_have_path && is_finding_path(path)) finding.path = path;
}

bool is_allowed(const Finding& finding, std::span<const Allowance> allowances, RecordTime now) {
  return std::any_of(allowances.begin(), allowances.end(), [&](const Allowance& allowance) {
    if (now >= allowance.until) return false;
    if (!allowance.pattern.empty() && allowance.pattern != finding.pattern) return false;
    if (!allowance.place.empty() && allowance.place != word_of(finding) && allowance.place != place_of(finding)) {
      return false;
    }
    return allowance.fingerprint.empty() || allowance.fingerprint == finding.fingerprint ||
           std::find(finding.former.begin(), finding.former.end(), allowance.fingerprint) != finding.former.end();
  });
}

EventSanitizer::EventSanitizer(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter)
    : scanner_(std::move(library)), fingerprinter_(std::move(fingerprinter)) {}

void EventSanitizer::know(std::shared_ptr<const PatternLibrary> library) {
  if (library.get() == &scanner_.library()) return;
  scanner_ = Scanner(std::move(library));
  clean_.clear();
}

SanitizedEvent& EventSanitizer::sanitize(const AgentEvent& event) {
  take_fields(sanitized_.fields_, event.fields);
  sanitized_.own_ = event.own;
  sanitized_.findings_.clear();
  sanitized_.redactions_ = 0;
  sanitized_.cost_is_computed_ = false;
  redacted_.clear();
  lay_out(event);
  sanitized_.is_unscanned_ = false;
  std::span<const Match> matches;
  if (!rest_.empty()) {
    matches = scanner_.scan(rest_);
    sanitized_.is_unscanned_ = scanner_.last_scan_was_cut();
    if (!matches.empty() || has_uris_ || library().keeps_text()) lay_out_pieces(event);
    if (!matches.empty()) redact_fields(rest_, rest_pieces_, matches);
  }
  for (Beside& beside : beside_) beside.uris.clear();
  if (has_uris_) take_uris(matches);
  if (library().keeps_text()) keep_texts(event, matches);
  if (!short_pieces_.empty()) scan_short_fields();
  if (event.user_is_raw) hash_field(StringField::user_hash);
  for (const FieldRule& rule : library().field_rules()) {
    if (rule.action == FieldAction::hash) hash_field(rule.field);
    if (rule.action == FieldAction::drop) sanitized_.take_off(rule.field);
  }
  take_carried(event);
  for (StringMask set = sanitized_.fields_.strings_present; set != 0; set &= set - 1) {
    std::string_view& text = sanitized_.fields_.strings[static_cast<std::size_t>(__builtin_ctzll(set))];
    if (text.size() > longest_field) text = cut(text, longest_field);
  }
  if (sanitized_.fields_.has(StringField::side_effect) && !is_kept(StringField::side_effect)) {
    sanitized_.fields_.set(StringField::side_effect, action_in(sanitized_.fields_.get(StringField::side_effect)));
  }
  if (has_uris_) finish_uris();
  if (library().keeps_text()) finish_texts(event);
  if (sanitized_.is_unscanned_) sanitized_.fields_.set(EnumField::scan, static_cast<std::uint8_t>(Scan::cut));
  return sanitized_;
}

void EventSanitizer::hash_field(StringField field) {
  const std::string_view value = sanitized_.fields_.get(field);
  if (value.empty()) return;
  if (hashes_.size() >= most_hashes) hashes_.clear();
  const auto [place, is_new] = hashes_.try_emplace(hash128(value));
  if (is_new) place->second = fingerprinter_.of(value);
  sanitized_.fields_.set(field, place->second);
}

// A pattern that this library does not have, a newer door's, keeps its tier and loses its name: names are labels.
// What the door saw to be no reason to halt, by a checksum, is none here either: the text is gone.
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
    if (const Pattern* const known = library().find(carried.pattern)) {
      finding.pattern = known->id;
      if (finding.tier != Tier::page || known->tier != Tier::halt) finding.tier = known->tier;
    }
    if (finding.tier == Tier::pii) continue;
    finding.fingerprint = carried.fingerprint;
    set_place(finding, carried.place, event.own);
    finding.times = carried.times;
    sanitized_.findings_.push_back(std::move(finding));
  }
}

void EventSanitizer::lay_out(const AgentEvent& event) {
  rest_ = {};
  joined_.clear();
  rest_pieces_.clear();
  short_fields_.clear();
  short_pieces_.clear();
  has_uris_ = false;
  // What follows one another in the event's text goes on as one.
  std::size_t run_begin = 0, run_end = 0, runs = 0;
  const auto end_run = [&] {
    if (run_begin == run_end) return;
    if (runs++ == 0) {
      rest_ = event.text.substr(run_begin, run_end - run_begin);
      return;
    }
    if (runs == 2) joined_.assign(rest_);
    joined_.append(event.text.substr(run_begin, run_end - run_begin));
  };
  for (const TextPiece& piece : event.pieces) {
    if (!is_short_field(piece)) {
      has_uris_ = has_uris_ || piece.place == TextPlace::reference;
      if (piece.begin != run_end) {
        end_run();
        run_begin = piece.begin;
      }
      run_end = piece.end + std::size_t{1};  // its NUL too
      continue;
    }
    const std::string_view text = event.text.substr(piece.begin, piece.end - piece.begin);
    if (is_as_long_as_an_id(text) && is_plain_id(text) && !library().matcher().has_keyword_in_id(text)) {
      continue;  // nearly every event brings a new one, and no pattern finds anything in it
    }
    if (clean_.has(event.text, piece.begin, text.size())) continue;
    const std::size_t at = short_fields_.size();
    short_fields_.append(text);
    short_fields_.append(2, '\0');  // an empty string between: none of them names the next
    add_piece(short_pieces_, piece, at);
  }
  end_run();
  if (runs > 1) rest_ = joined_;
}

// Where the pieces of rest_ stand in it: most events have nothing that asks for it.
void EventSanitizer::lay_out_pieces(const AgentEvent& event) {
  std::size_t at = 0;
  for (const TextPiece& piece : event.pieces) {
    if (is_short_field(piece)) continue;
    add_piece(rest_pieces_, piece, at);
    at += piece.end - piece.begin + std::size_t{1};
  }
}

void EventSanitizer::scan_short_fields() {
  const std::span<const Match> matches = scanner_.scan(short_fields_);
  sanitized_.is_unscanned_ = sanitized_.is_unscanned_ || scanner_.last_scan_was_cut();
  if (!matches.empty()) redact_fields(short_fields_, short_pieces_, matches);
  if (scanner_.last_scan_was_cut()) return;
  std::size_t next = 0;
  for (const TextPiece& piece : short_pieces_) {
    while (next < matches.size() && matches[next].begin < piece.begin) ++next;
    const bool is_clean = next == matches.size() || matches[next].begin >= piece.end;
    if (is_clean) clean_.add(std::string_view(short_fields_).substr(piece.begin, piece.end - piece.begin));
  }
}

void EventSanitizer::redact_fields(std::string_view text, std::span<const TextPiece> pieces,
                                   std::span<const Match> matches) {
  redacted_.reserve(string_slot_count);  // views into them must not move
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const Match& match = matches[i];
    const TextPiece* piece = piece_at(pieces, match.begin);
    if (piece == nullptr) continue;
    if (match.tier == Tier::pii) {
      ++sanitized_.redactions_;
    } else if (match.part_of == Match::whole) {
      note_finding(match, *piece, text, pieces, matches);
    }
    if (piece->place != TextPlace::field || is_kept(static_cast<StringField>(piece->field))) continue;
    // All matches of this field at once, at its first.
    if (i > 0 && matches[i - 1].begin >= piece->begin) continue;
    std::string redacted;
    std::uint32_t at = piece->begin;
    for (std::size_t j = i; j < matches.size() && matches[j].begin < piece->end; ++j) {
      const Match& inner = matches[j];
      redacted.append(text.substr(at, inner.begin - at));
      redacted += fingerprinter_.label(inner, library());
      at = std::min(inner.end, piece->end);
    }
    redacted.append(text.substr(at, piece->end - at));
    redacted_.push_back(std::move(redacted));
    sanitized_.fields_.set(static_cast<StringField>(piece->field), redacted_.back());
  }
}

std::string EventSanitizer::redacted_piece(const TextPiece& piece, std::span<const Match> matches) const {
  const std::string_view text = rest_;
  std::string redacted;
  std::uint32_t at = piece.begin;
  auto match = std::lower_bound(matches.begin(), matches.end(), piece.begin,
                                [](const Match& one, std::uint32_t begin) { return one.end <= begin; });
  for (; match != matches.end() && match->begin < piece.end; ++match) {
    if (match->begin > at) redacted.append(text.substr(at, match->begin - at));
    redacted += fingerprinter_.label(*match, library());
    at = std::min(match->end, piece.end);
  }
  redacted.append(text.substr(at, piece.end - at));
  return redacted;
}

void EventSanitizer::take_uris(std::span<const Match> matches) {
  const std::size_t scanned = scanner_.cut_at().value_or(static_cast<std::uint32_t>(rest_.size()));
  for (const TextPiece& piece : rest_pieces_) {
    if (piece.place != TextPlace::reference || piece.end > scanned) continue;
    std::vector<std::string>& uris = beside_[piece.field == 0 ? 0 : 1].uris;
    if (uris.size() < most_uris) uris.push_back(redacted_piece(piece, matches));
  }
}

void EventSanitizer::finish_uris() {
  for (Beside& beside : beside_) {
    std::size_t kept = 0;
    for (std::string& uri : beside.uris) {
      if (!redact_again(uri)) continue;
      if (auto name = without_credentials(uri)) beside.uris[kept++] = std::move(*name);
    }
    beside.uris.resize(kept);
  }
}

// What was found in the event is redacted by what is known of all of it: a name may stand before its value.
void EventSanitizer::keep_texts(const AgentEvent& event, std::span<const Match> matches) {
  for (const TextPlace place : {TextPlace::content, TextPlace::argument}) {
    Beside& beside = beside_[place == TextPlace::content ? 0 : 1];
    beside.text.reset();
    beside.text_is_cut = false;
    if (!library().reference_rule(field_of(event, place)).keeps_text || sanitized_.is_unscanned_) continue;
    for (const TextPiece& piece : rest_pieces_) {
      if (piece.place != place) continue;
      if (beside.text)
        *beside.text += '\n';
      else
        beside.text.emplace();
      *beside.text += redacted_piece(piece, matches);
    }
  }
}

// Then scanned again, as one text: what only shows so ("-----BEGIN ...", a line a string) is redacted, too. Of an
// event that was not scanned to its end nothing is kept.
void EventSanitizer::finish_texts(const AgentEvent& event) {
  for (const TextPlace place : {TextPlace::content, TextPlace::argument}) {
    Beside& beside = beside_[place == TextPlace::content ? 0 : 1];
    if (!beside.text) continue;
    if (sanitized_.is_unscanned_ || !redact_again(*beside.text)) {
      beside.text.reset();
      continue;
    }
    const std::size_t most = library().reference_rule(field_of(event, place)).most_bytes;
    beside.text_is_cut = (place == TextPlace::content ? event.carried_content : event.carried_arguments).text_is_cut;
    if (beside.text->size() <= most) continue;
    beside.text_is_cut = true;
    std::size_t end = cut(*beside.text, most).size();
    // Nothing may begin to look like a secret because its end is missing.
    while (end < beside.text->size()) {
      beside.text->resize(end);
      const auto matches = scanner_.scan(*beside.text);
      if (!matches.empty()) end = matches.front().begin;
    }
  }
}

// False where some of it may not be clean.
bool EventSanitizer::redact_again(std::string& text) {
  constexpr int most_rounds = 6;  // each shortens what is left to find
  for (int round = 0; round < most_rounds; ++round) {
    const auto matches = scanner_.scan(text);
    if (scanner_.last_scan_was_cut()) return false;
    if (matches.empty()) return true;
    std::string out;
    append_redacted(out, text, matches, library(), fingerprinter_);
    text = std::move(out);
  }
  return false;
}

bool EventSanitizer::is_kept(StringField field) const {
  const auto rules = library().field_rules();
  return std::any_of(rules.begin(), rules.end(), [field](const FieldRule& rule) {
    return rule.field == field && rule.action == FieldAction::keep;
  });
}

void EventSanitizer::note_finding(const Match& match, const TextPiece& piece, std::string_view text,
                                  std::span<const TextPiece> pieces, std::span<const Match> matches) {
  const Pattern& pattern = library().patterns()[match.pattern];
  std::string fingerprint = fingerprinter_.of(match, library());
  for (Finding& known : sanitized_.findings_) {
    if (known.pattern == pattern.id && known.fingerprint == fingerprint) {
      ++known.times;
      return;
    }
  }
  Finding finding;
  finding.pattern = pattern.id;
  finding.tier = match.tier;
  finding.fingerprint = std::move(fingerprint);
  if (library().allows_fingerprints()) finding.former = fingerprinter_.former(match, library());
  finding.place = piece.place;
  if (piece.place == TextPlace::field) {
    finding.field = static_cast<StringField>(piece.field);
    if (is_own(*finding.field)) finding.own_field = name_of(*finding.field, sanitized_.own_);
  }
  if (piece.place == TextPlace::content || piece.place == TextPlace::argument) {
    finding.path = finding_path(pieces, piece, text, match.begin, matches);
  }
  sanitized_.findings_.push_back(std::move(finding));
}

std::optional<ContentReference> EventSanitizer::reference(const AgentEvent& event, TextPlace place) const {
  const bool is_content = place == TextPlace::content;
  const CarriedReference& carried = is_content ? event.carried_content : event.carried_arguments;
  const Beside& beside = beside_[is_content ? 0 : 1];
  ContentReference reference;
  if (is_fingerprint(carried.hash)) {
    reference.hash = carried.hash;
    reference.bytes = carried.bytes;
  } else {
    std::string all;
    for (const TextPiece& piece : event.pieces) {
      if (piece.place != place) continue;
      all.append(event.text.substr(piece.begin, piece.end - piece.begin));
      all += '\0';
    }
    reference.bytes = all.size();
    // Numbers and truths among the arguments have no bytes of their own, but tell calls apart.
    if (!is_content && event.argument_scalars != 0) all += std::to_string(event.argument_scalars);
    if (!all.empty()) reference.hash = fingerprinter_.of(all);
  }
  if (reference.hash.empty() && beside.uris.empty()) return std::nullopt;
  const ReferenceRule& rule = library().reference_rule(field_of(event, place));
  reference.retention = shorter_retention(rule.retention, carried.retention);
  reference.uris = beside.uris;
  if (rule.keeps_text) {
    reference.text = beside.text;
    reference.text_is_cut = beside.text_is_cut;
  }
  return reference;
}

}  // namespace tocsin
