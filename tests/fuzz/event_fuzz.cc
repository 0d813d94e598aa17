// Telemetry: whatever comes is an event or a reason, and what leaves the sanitizer holds no planted secret.

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "app/shipped_files.h"
#include "base/json_text.h"
#include "core/event/decimal.h"
#include "core/event/json_string.h"
#include "core/event/native_decoder.h"
#include "core/event/record_decoder.h"
#include "core/event/upload_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/sanitized_event_json.h"
#include "fuzz/target.h"

namespace tocsin::fuzz {

namespace {

std::shared_ptr<const PatternLibrary> patterns() {
  static const auto loaded = [] {
    Diagnostics diagnostics;
    std::vector<NamedText> files(shipped_patterns().begin(), shipped_patterns().end());
    files.push_back({"kept.yaml",
                     "sanitize: {version: 1, references: {content: {keep: redacted, max_bytes: 64}, "
                     "results: {keep: redacted}, arguments: {keep: redacted}}}"});
    auto library = load_patterns(files, diagnostics, shipped_patterns());
    must_hold(!diagnostics.has_errors(), "the patterns that ship load");
    return library;
  }();
  return loaded;
}

// Attributes that the inputs' keys may give.
std::shared_ptr<const DialectIndex> names() {
  static const auto index = [] {
    using Kind = AttributeSource::Kind;
    std::vector<OwnAttribute> own{
        {"tenant", {{Kind::resource, "service.name"}, {Kind::json, "a"}, {Kind::json, "b.c"}}},
        {"region", {{Kind::attribute, "gen_ai.agent.name"}, {Kind::json, "b.d.e"}}}};
    return std::make_shared<const DialectIndex>(OwnNames{}, std::make_shared<const OwnAttributes>(std::move(own)));
  }();
  return index;
}

// Random, never issued. Put together at run time, so that scanners of repositories pass by.
const std::string secret = std::string("AKIA") + "ODZDOCIS" + "2JHTLGMX";
constexpr std::string_view mark = "CANARY";

// `text` with a secret wherever it says CANARY: so a mutated input moves it where it likes.
std::string planted(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t at = text.find(mark);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += " " + secret + " ";
    text.remove_prefix(at + mark.size());
  }
}

// libFuzzer learns to write the secret itself, and then inside of a longer word, where it is none.
bool has_secret(std::string_view input) {
  return input.find(secret) != std::string_view::npos;
}

void look_at(const AgentEvent& event) {
  static NativeDecoder decoder;
  static EventSanitizer sanitizer(patterns(), Fingerprinter(std::vector<unsigned char>(32, 7)));
  const SanitizedEvent& sanitized = sanitizer.sanitize(event);
  const std::string out = to_json(sanitized, sanitizer.reference(event, TextPlace::content),
                                  sanitizer.reference(event, TextPlace::argument));
  must_hold(out.find(secret) == std::string::npos, "no planted secret leaves");
  must_hold(out.find('\n') == std::string::npos, "a sanitized event is one line");
  must_hold(nlohmann::json::accept(out), "a sanitized event is JSON");
  for (std::size_t i = 0; i < string_slot_count; ++i) {
    const auto field = static_cast<StringField>(i);
    must_hold(sanitized.fields().get(field).find(secret) == std::string_view::npos,
              "no field holds a planted secret");
  }
  // What goes out can come in again, as a source of its own would have it.
  const auto again = decoder.decode(out, "key");
  must_hold(again.has_value(), "a sanitized event is an event");
}

void event(std::string_view input) {
  static NativeDecoder decoder;
  decoder.know(input.size() % 2 == 0 ? names()->own_attributes() : nullptr);
  if (has_secret(input)) return;
  const std::string record = planted(input);
  const auto decoded = decoder.decode(record, "key");
  must_hold(decoded || !name_of(decoded.error()).empty(), "a refusal has a name");
  if (decoded) look_at(*decoded.value());
}

// Spans in protobuf, whose lengths a planted secret would break, and in JSON.
void look_at_pieces(const AgentEvent& event) {
  for (const TextPiece& piece : event.pieces) {
    must_hold(piece.begin <= piece.end && piece.end <= event.text.size(), "a piece lies in its text");
  }
  look_at(event);
}

void otlp(std::string_view input) {
  static RecordDecoder decoder;
  decoder.know(names());
  if (has_secret(input)) return;
  const std::string record = input.starts_with('{') ? planted(input) : std::string(input);
  const auto error = decoder.begin(record, "key");
  if (error) {
    must_hold(!name_of(*error).empty(), "a refusal has a name");
    return;
  }
  while (const AgentEvent* const one = decoder.next()) look_at_pieces(*one);
}

// The first byte says which door it comes to, and how it is said to be packed; the rest is the body.
void upload(std::string_view input) {
  struct Posted {
    const char* path;
    const char* type;
  };
  constexpr Posted doors[] = {
      {"/runs/batch", "application/json"},     {"/runs/multipart", "multipart/form-data; boundary=b"},
      {"/runs/1", "application/json"},         {"/api/public/ingestion", "application/json"},
      {"/v0.4/traces", "application/msgpack"}, {"/api/v2/llmobs", "application/json"},
      {"/custom/v1/log", "application/json"},  {"/v1/traces", "application/x-protobuf"},
      {"/v1/logs", "application/json"},        {"/v1/events", "application/json"}};
  constexpr const char* packings[] = {"", "gzip", "zstd", "deflate"};
  constexpr std::size_t most = 1 << 18;
  static UploadDecoder decoder(most);
  static const std::pair<std::string_view, std::string_view> headers[] = {{"helicone-session-id", "s"},
                                                                          {"helicone-request-id", "q"}};
  if (input.empty() || has_secret(input)) return;
  const auto choice = static_cast<unsigned char>(input.front());
  const Posted& door = doors[choice % std::size(doors)];
  // A secret moves the ends of MessagePack's texts.
  const bool is_text = std::string_view(door.type).find('/') != std::string_view::npos && choice < 64;
  const std::string body = is_text ? planted(input.substr(1)) : std::string(input.substr(1));
  const auto error = decoder.begin({door.path, door.type, packings[choice >> 6], headers, body});
  if (error) {
    must_hold(!name_of(*error).empty(), "a refusal has a name");
    return;
  }
  while (const AgentEvent* const one = decoder.next()) look_at_pieces(*one);
}

void scan(std::string_view input) {
  static Scanner scanner(patterns());
  const std::string text = planted(input);
  std::size_t last = 0;
  for (const Match& match : scanner.scan(text)) {
    must_hold(match.begin < match.end && match.end <= text.size(), "a match lies in its text");
    must_hold(match.pattern < scanner.library().patterns().size(), "a match is of a pattern");
    last = std::max<std::size_t>(last, match.end);
  }
  if (input.find(mark) != std::string_view::npos) must_hold(last > 0, "a planted secret is found");
  if (scanner.last_scan_was_cut() || has_secret(input)) return;
  static const Fingerprinter fingerprinter(std::vector<unsigned char>(32, 7));
  const std::string redacted = redact(text, scanner, fingerprinter);
  must_hold(redacted.find(secret) == std::string::npos, "no planted secret is left");
  must_hold(redact(redacted, scanner, fingerprinter) == redacted, "what is redacted stays as it is");
}

void decimal(std::string_view input) {
  if (input.empty()) return;
  const int scale = static_cast<unsigned char>(input.front()) % 10;
  const ScaledDecimal number = parse_scaled_decimal(input.substr(1), scale);
  if (number.error != DecimalError::none) return;
  const ScaledDecimal again = parse_scaled_decimal(std::to_string(number.value), 0);
  must_hold(again.error == DecimalError::none && again.value == number.value, "a decimal's digits are itself");
}

}  // namespace

std::vector<Target> event_targets() {
  // Loaded before the first input, of which the time is taken: it takes seconds here.
  const char* const name = std::getenv("TOCSIN_FUZZ_TARGET");
  if (name != nullptr && std::string_view("event otlp upload scan").find(name) != std::string_view::npos) patterns();
  return {{"event", event}, {"otlp", otlp}, {"upload", upload}, {"scan", scan}, {"decimal", decimal}};
}

}  // namespace tocsin::fuzz
