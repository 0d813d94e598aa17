#include "core/event/native_decoder.h"

#include <simdjson.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <string>

#include "base/hash.h"
#include "base/time_text.h"
#include "core/event/decimal.h"
#include "core/event/json_string.h"

namespace tocsin {

namespace {

namespace ondemand = simdjson::ondemand;

enum class Kind : std::uint8_t {
  type,
  time,
  string,
  number,
  flag,
  enumeration,
  budget,
  arguments,
  content,
  findings,
  reference,
  redactions,
  state  // a flag of the event itself, no field
};

// Which flag; in the place of a field's number.
enum class StateFlag : std::uint8_t { unscanned, agent_is_guess, needs_open_task, outcome_is_guess };

// How a number is written on the wire, and what its decimal is multiplied by to reach the unit of EventFields.
struct FieldRule {
  std::string_view name;
  Kind kind;
  std::uint8_t field = 0;
  int scale = 0;  // power of ten
};

constexpr FieldRule string_rule(std::string_view name, StringField field) {
  return {name, Kind::string, static_cast<std::uint8_t>(field)};
}
constexpr FieldRule number_rule(std::string_view name, NumberField field, int scale = 0) {
  return {name, Kind::number, static_cast<std::uint8_t>(field), scale};
}

constexpr int usd = 6;           // dollars to micro-dollars
constexpr int milliseconds = 3;  // milliseconds to microseconds
constexpr int seconds = 6;       // seconds to microseconds
constexpr int millionths = 6;

constexpr FieldRule field_rules[] = {
    {"type", Kind::type},
    {"time", Kind::time},
    {"started_at", Kind::time, static_cast<std::uint8_t>(NumberField::started_at)},
    string_rule("env", StringField::env),
    string_rule("agent", StringField::agent),
    string_rule("agent_version", StringField::agent_version),
    string_rule("spec", StringField::spec),
    string_rule("spec_version", StringField::spec_version),
    string_rule("session_id", StringField::session_id),
    string_rule("user_hash", StringField::user_hash),
    string_rule("correlation_id", StringField::correlation_id),
    string_rule("event_id", StringField::event_id),
    string_rule("span_id", StringField::span_id),
    string_rule("parent_span_id", StringField::parent_span_id),
    string_rule("model", StringField::model),
    string_rule("model_version", StringField::model_version),
    string_rule("model_tier", StringField::model_tier),
    string_rule("surface_reason", StringField::surface_reason),
    string_rule("error_type", StringField::error_type),
    string_rule("tool", StringField::tool),
    string_rule("call_id", StringField::call_id),
    string_rule("result_schema", StringField::result_schema),
    string_rule("authz_reason", StringField::authz_reason),
    string_rule("side_effect", StringField::side_effect),
    string_rule("active_spec_version", StringField::active_spec_version),
    string_rule("active_model_version", StringField::active_model_version),
    string_rule("suite", StringField::suite),
    string_rule("section", StringField::section),
    string_rule("category", StringField::category),
    number_rule("tokens_in", NumberField::tokens_in),
    number_rule("tokens_out", NumberField::tokens_out),
    number_rule("tokens_cached", NumberField::tokens_cached),
    number_rule("tokens_cache_write", NumberField::tokens_cache_write),
    number_rule("cost_usd", NumberField::cost, usd),
    number_rule("cost_input_usd", NumberField::cost_input, usd),
    number_rule("cost_cached_usd", NumberField::cost_cached, usd),
    number_rule("cost_output_usd", NumberField::cost_output, usd),
    number_rule("ttft_ms", NumberField::ttft, milliseconds),
    number_rule("generation_ms", NumberField::generation, milliseconds),
    number_rule("latency_ms", NumberField::latency, milliseconds),
    number_rule("result_bytes", NumberField::result_bytes),
    number_rule("tasks", NumberField::tasks),
    number_rule("concurrent_tasks", NumberField::concurrent_tasks),
    number_rule("queue_depth", NumberField::queue_depth),
    number_rule("cost_per_hour", NumberField::cost_per_hour, usd),
    number_rule("score", NumberField::score, millionths),
    {"accepted", Kind::flag, static_cast<std::uint8_t>(NumberField::accepted)},
    {"outcome", Kind::enumeration, static_cast<std::uint8_t>(EnumField::outcome)},
    {"step_type", Kind::enumeration, static_cast<std::uint8_t>(EnumField::step_type)},
    {"authz", Kind::enumeration, static_cast<std::uint8_t>(EnumField::authz)},
    {"budget", Kind::budget},
    {"arguments", Kind::arguments},
    {"content", Kind::content},
    // Of sanitized events: see core/sanitize/sanitized_event_json.h.
    {"findings", Kind::findings},
    {"content_ref", Kind::reference, 0},
    {"arguments_ref", Kind::reference, 1},
    {"redactions", Kind::redactions},
    {"unscanned", Kind::state, static_cast<std::uint8_t>(StateFlag::unscanned)},
    {"agent_is_guess", Kind::state, static_cast<std::uint8_t>(StateFlag::agent_is_guess)},
    {"needs_open_task", Kind::state, static_cast<std::uint8_t>(StateFlag::needs_open_task)},
    {"outcome_is_guess", Kind::state, static_cast<std::uint8_t>(StateFlag::outcome_is_guess)},
};

constexpr FieldRule budget_rules[] = {
    number_rule("wall_clock_s", NumberField::budget_wall_clock, seconds),
    number_rule("tokens", NumberField::budget_tokens),
    number_rule("cost_usd", NumberField::budget_cost, usd),
};

// A name in three words with zeros behind it: read, hashed and compared without a loop over its bytes.
struct PackedName {
  static constexpr std::size_t longest = 24;
  std::array<std::uint64_t, longest / 8> words{};

  static constexpr PackedName of(std::string_view name) {
    PackedName packed;
    for (std::size_t i = 0; i < name.size(); ++i) {
      packed.words[i / 8] |= std::uint64_t{static_cast<unsigned char>(name[i])} << (8 * (i % 8));
    }
    return packed;
  }

  // Requires: `size` <= longest; `longest` bytes can be read at `name`.
  static PackedName read(const char* name, std::size_t size) {
    PackedName packed;
    std::memcpy(packed.words.data(), name, longest);
    for (std::size_t i = 0; i < packed.words.size(); ++i) packed.words[i] &= masks[size][i];
    return packed;
  }

  constexpr std::size_t hash() const {
    return static_cast<std::size_t>(((words[0] ^ (words[1] * 31) ^ (words[2] * 131)) * 0x9e3779b97f4a7c15ULL) >> 56);
  }
  friend constexpr bool operator==(const PackedName& a, const PackedName& b) {
    return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1]) | (a.words[2] ^ b.words[2])) == 0;
  }

 private:
  static constexpr auto masks = [] {
    std::array<std::array<std::uint64_t, longest / 8>, longest + 1> all{};
    for (std::size_t size = 0; size <= longest; ++size) {
      for (std::size_t i = 0; i < size; ++i) all[size][i / 8] |= std::uint64_t{0xff} << (8 * (i % 8));
    }
    return all;
  }();
};
static_assert(std::endian::native == std::endian::little);

// Where the string that begins at `text` has its closing quote, if that is among the first bytes of a name of ours
// (or a backslash, after which it would be none). Requires: 32 bytes can be read.
std::size_t short_length(const char* text) {
#if defined(__SSE2__)
  __m128i low, high;
  std::memcpy(&low, text, sizeof low);
  std::memcpy(&high, text + sizeof low, sizeof high);
  const __m128i quote = _mm_set1_epi8('"');
  const auto quotes = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(low, quote))) |
                      static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(high, quote))) << 16;
  return quotes == 0 ? 32 : static_cast<std::size_t>(__builtin_ctz(quotes));
#else
  std::size_t size = 0;
  while (size < 32 && text[size] != '"') ++size;
  return size;
#endif
}

// A table from names to rules.
class RuleIndex {
 public:
  constexpr RuleIndex() {
    for (auto& slot : slots_) slot = -1;
    for (std::size_t i = 0; i < std::size(field_rules); ++i) {
      names_[i] = PackedName::of(field_rules[i].name);
      std::size_t at = names_[i].hash();
      while (slots_[at] >= 0) at = (at + 1) % size;
      slots_[at] = static_cast<std::int8_t>(i);
    }
  }

  const FieldRule* find(const PackedName& name) const {
    for (std::size_t at = name.hash(); slots_[at] >= 0; at = (at + 1) % size) {
      const auto rule = static_cast<std::size_t>(slots_[at]);
      if (names_[rule] == name) return &field_rules[rule];
    }
    return nullptr;
  }

  const FieldRule* find(std::string_view name) const {
    return name.size() <= PackedName::longest ? find(PackedName::of(name)) : nullptr;
  }

 private:
  static constexpr std::size_t size = 256;
  std::int8_t slots_[size]{};
  PackedName names_[std::size(field_rules)]{};
};

constexpr RuleIndex rule_index;

// Where an attribute of a deployment's own was read.
struct OwnRead {
  std::uint8_t rank = 0;
  std::size_t piece = 0;
};

DecodeError reason_of(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return DecodeError::not_utf8;
    case simdjson::CAPACITY:
      return DecodeError::too_large;
    case simdjson::DEPTH_ERROR:
      return DecodeError::too_deep;
    case simdjson::EMPTY:
      return DecodeError::empty;
    case simdjson::TRAILING_CONTENT:
      return DecodeError::trailing_data;
    default:
      return DecodeError::not_json;
  }
}

constexpr std::string_view error_names[decode_error_count] = {
    "empty",   "too_large",    "too_deep",     "too_many_keys",     "not_json",    "not_utf8",     "not_an_object",
    "no_type", "unknown_type", "bad_time",     "no_correlation_id", "wrong_type",  "out_of_range", "trailing_data",
    "gave_up", "not_protobuf", "unknown_form", "not_multipart",     "not_msgpack", "compression"};

}  // namespace

std::string_view name_of(DecodeError error) {
  return error_names[static_cast<std::size_t>(error)];
}

// Where a value lies in the one that holds it all, as TextPiece says it.
struct Spot {
  std::uint8_t depth = 0;
  std::uint8_t element = TextPiece::no_element;

  std::uint8_t below() const { return depth == 0 || depth == 255 ? 0 : static_cast<std::uint8_t>(depth + 1); }
  Spot of_member() const { return {below(), depth == 0 ? TextPiece::late_element : TextPiece::no_element}; }
  // An array in an array has no key of its own, so what is in it would not be found again.
  Spot of_first_element() const {
    const bool is_lost = depth == 0 || element != TextPiece::no_element;
    return is_lost ? Spot{0, TextPiece::late_element} : Spot{below(), 0};
  }
};

struct NativeDecoder::State {
  ondemand::parser parser{max_record_bytes + simdjson::SIMDJSON_PADDING};
  std::vector<char> input;  // the record with the padding that simdjson reads past its end
  std::vector<char> text;
  std::size_t text_end = 0;
  AgentEvent event;
  std::shared_ptr<const OwnAttributes> own;
  std::uint64_t all_paths = 0;                        // of its attributes, a bit for each
  std::array<OwnRead, most_own_attributes> own_read;  // of those that are there
  int keys = 0;
  std::uint64_t argument_key = 0;  // hash of the last name among the arguments
  bool has_type = false;
  DecodeError error = DecodeError::not_json;

  bool fail(DecodeError reason) {
    error = reason;
    return false;
  }
  bool fail(simdjson::error_code code) { return fail(reason_of(code)); }

  // Only what the last event set: the whole is half a kilobyte. A number that is not present is never read.
  static void clear(EventFields& fields) {
    for (StringMask set = fields.strings_present; set != 0; set &= set - 1) {
      fields.strings[static_cast<std::size_t>(std::countr_zero(set))] = {};
    }
    fields.type = EventType::step;
    fields.time.reset();
    fields.enums = {};
    fields.strings_present = 0;
    fields.numbers_present = 0;
  }

  void begin(std::string_view payload, std::string_view key) {
    if (input.size() < payload.size() + simdjson::SIMDJSON_PADDING) {
      input.resize(2 * payload.size() + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(input.data(), payload.data(), payload.size());
    std::memset(input.data() + payload.size(), ' ', simdjson::SIMDJSON_PADDING);
    // A broken escape of two bytes can become a replacement character of three; nothing grows more than that.
    const std::size_t most_text = 2 * payload.size() + key.size() + json_string_slack;
    if (text.size() < most_text) text.resize(2 * most_text);
    text_end = 0;
    clear(event.fields);
    event.pieces.clear();
    event.carried_findings.clear();
    event.carried_content = event.carried_arguments = {};
    event.carried_redactions = 0;
    event.argument_scalars = argument_key = 0;
    event.was_unscanned = event.agent_is_guess = event.needs_open_task = event.user_is_raw = false;
    event.outcome_is_guess = false;
    event.record_bytes = static_cast<std::uint32_t>(payload.size());
    keys = 0;
    has_type = false;
  }

  // Unescapes a string into `text`. Returns its view, which stays valid until the next record.
  std::string_view keep(ondemand::raw_json_string raw, TextPlace place, std::uint8_t field = 0, Spot spot = {}) {
    const std::string_view kept = unescape_json_string(raw.raw(), text.data() + text_end);
    const auto begin = static_cast<std::uint32_t>(text_end);
    text_end += kept.size();
    event.pieces.push_back({begin, static_cast<std::uint32_t>(text_end), place, field, spot.depth, spot.element});
    text[text_end++] = '\0';
    return kept;
  }

  // Like keep(), for what need not be scanned or kept: the returned view is valid until the next string.
  std::string_view peek(ondemand::raw_json_string raw) {
    return unescape_json_string(raw.raw(), text.data() + text_end);
  }

  const FieldRule* rule_of(ondemand::raw_json_string key) {
    const std::size_t size = short_length(key.raw());  // the padding lets it read on
    if (size <= PackedName::longest) {
      if (const FieldRule* rule = rule_index.find(PackedName::read(key.raw(), size))) return rule;
    }
    return rule_index.find(peek(key));  // a long name, or one written with escapes
  }

  void keep_key(std::string_view key) {
    char* const at = text.data() + text_end;
    std::memcpy(at, key.data(), key.size());
    event.fields.set(StringField::correlation_id, {at, key.size()});
    const auto begin = static_cast<std::uint32_t>(text_end);
    text_end += key.size();
    event.pieces.push_back({begin, static_cast<std::uint32_t>(text_end), TextPlace::field,
                            static_cast<std::uint8_t>(StringField::correlation_id)});
    text[text_end++] = '\0';
  }

  bool count_key() { return ++keys <= max_keys || fail(DecodeError::too_many_keys); }

  // Under which key it stands counts too: {"a": 1} is another argument than {"b": 1}.
  void note_argument(std::uint64_t scalar) {
    event.argument_scalars = mix(mix(event.argument_scalars, argument_key), scalar);
  }

  // Keeps every string below `value`, keys too. `spot` is where the value lies in the one that keep_all() began with.
  bool keep_all(ondemand::value& value, TextPlace place, int depth, Spot spot = {1, TextPiece::no_element}) {
    ondemand::json_type type{};
    if (auto code = value.type().get(type)) return fail(code);
    const bool is_level = type == ondemand::json_type::object || type == ondemand::json_type::array;
    if (is_level && depth > max_depth) return fail(DecodeError::too_deep);
    switch (type) {
      case ondemand::json_type::string: {
        ondemand::raw_json_string raw;
        if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
        keep(raw, place, 0, spot);
        return true;
      }
      case ondemand::json_type::object: {
        ondemand::object object;
        if (auto code = value.get_object().get(object)) return fail(code);
        for (auto member : object) {
          if (member.error()) return fail(member.error());
          ondemand::field&& field = std::move(member).value_unsafe();
          if (!count_key()) return false;
          const std::string_view name = keep(field.key(), TextPlace::key, 0, {spot.below(), spot.element});
          if (place == TextPlace::argument) argument_key = hash64(name);
          if (!keep_all(field.value(), place, depth + 1, spot.of_member())) return false;
        }
        return true;
      }
      case ondemand::json_type::array: {
        ondemand::array array;
        if (auto code = value.get_array().get(array)) return fail(code);
        Spot each = spot.of_first_element();
        for (auto item : array) {
          if (item.error()) return fail(item.error());
          ondemand::value&& element = std::move(item).value_unsafe();
          if (!count_key()) return false;
          if (!keep_all(element, place, depth + 1, each)) return false;
          if (each.element < TextPiece::late_element) ++each.element;
        }
        return true;
      }
      case ondemand::json_type::number: {
        double number = 0;
        if (auto code = value.get_double().get(number)) return fail(code);
        if (place == TextPlace::argument) note_argument(std::bit_cast<std::uint64_t>(number));
        return true;
      }
      case ondemand::json_type::boolean: {
        bool flag = false;
        if (auto code = value.get_bool().get(flag)) return fail(code);
        if (place == TextPlace::argument) note_argument(flag ? 1 : 0);
        return true;
      }
      case ondemand::json_type::null:
        return read_null(value);
    }
    return fail(DecodeError::not_json);
  }

  // simdjson calls everything that begins with 'n' null until it has been read.
  bool read_null(ondemand::value& value) {
    bool is_null = false;
    if (auto code = value.is_null().get(is_null)) return fail(code);
    return is_null || fail(DecodeError::not_json);
  }

  // The text of a number, bare or inside a string; false with an error where it is neither. A bare one is not
  // moved past: simdjson skips it on its way to the next field, and parse_scaled_decimal() checks its form.
  bool number_text(ondemand::value& value, ondemand::json_type type, std::string_view& out) {
    if (type == ondemand::json_type::number) {
      out = value.raw_json_token();
      const std::size_t first = out.front() == '-' ? 1 : 0;
      const bool leading_zero =
          out.size() > first + 1 && out[first] == '0' && out[first + 1] >= '0' && out[first + 1] <= '9';
      return !leading_zero || fail(DecodeError::not_json);
    }
    if (type != ondemand::json_type::string) return fail(DecodeError::wrong_type);
    ondemand::raw_json_string raw;
    if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
    out = peek(raw);
    return true;
  }

  // A bare number that is none is no JSON either.
  static DecodeError not_a_number(ondemand::json_type type, DecodeError inside_string) {
    return type == ondemand::json_type::number ? DecodeError::not_json : inside_string;
  }

  bool read_number(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    std::string_view digits;
    if (!number_text(value, type, digits)) return false;
    if (digits.empty()) return true;  // "" is absent
    const ScaledDecimal decimal = parse_scaled_decimal(digits, rule.scale);
    if (decimal.error == DecimalError::not_a_number) return fail(not_a_number(type, DecodeError::wrong_type));
    const auto field = static_cast<NumberField>(rule.field);
    const bool may_be_negative = field == NumberField::score;
    if (decimal.error == DecimalError::out_of_range || decimal.value > largest_number ||
        decimal.value < -largest_number || (decimal.value < 0 && !may_be_negative)) {
      return fail(DecodeError::out_of_range);
    }
    event.fields.set(field, decimal.value);
    return true;
  }

  bool read_time(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    std::string_view written;
    if (!number_text(value, type, written)) return false;
    if (written.empty()) return true;
    std::optional<EventTime> time;
    if (type == ondemand::json_type::string) time = parse_rfc3339(written);
    if (!time) {
      // With a fraction it is seconds, as Python's time.time() gives them; without one its size tells the unit.
      const bool is_fraction = written.find('.') != std::string_view::npos;
      const ScaledDecimal number = parse_scaled_decimal(written, is_fraction ? 3 : 0);
      if (number.error == DecimalError::not_a_number) return fail(not_a_number(type, DecodeError::bad_time));
      constexpr std::int64_t year_5138 = 100'000'000'000'000;  // in milliseconds
      if (number.error == DecimalError::none && is_fraction && number.value >= 0 && number.value < year_5138) {
        time = EventTime{Duration{number.value}};
      } else if (number.error == DecimalError::none) {
        time = from_epoch_number(is_fraction ? number.value / 1'000 : number.value);
      }
    }
    if (!time) return fail(DecodeError::bad_time);
    if (rule.name == "time") {
      event.fields.time = *time;
    } else {
      event.fields.set(static_cast<NumberField>(rule.field), time->time_since_epoch().count());
    }
    return true;
  }

  bool read_budget(ondemand::value& value, ondemand::json_type type) {
    if (type != ondemand::json_type::object) return fail(DecodeError::wrong_type);
    ondemand::object object;
    if (auto code = value.get_object().get(object)) return fail(code);
    for (auto member : object) {
      if (member.error()) return fail(member.error());
      ondemand::field&& field = std::move(member).value_unsafe();
      if (!count_key()) return false;
      const std::string_view name = peek(field.key());
      const FieldRule* rule = nullptr;
      for (const FieldRule& candidate : budget_rules) {
        if (candidate.name == name) rule = &candidate;
      }
      ondemand::value& item = field.value();
      if (rule == nullptr) {
        keep(field.key(), TextPlace::key);
        if (!keep_all(item, TextPlace::unknown, 2)) return false;
        continue;
      }
      ondemand::json_type item_type{};
      if (auto code = item.type().get(item_type)) return fail(code);
      if (item_type == ondemand::json_type::null) {
        if (!read_null(item)) return false;
      } else if (!read_number(item, item_type, *rule)) {
        return false;
      }
    }
    return true;
  }

  // One that says less than all of a finding is none.
  bool read_findings(ondemand::value& value, ondemand::json_type type) {
    // Somebody's own is scanned as what is not known.
    if (type != ondemand::json_type::array) return keep_all(value, TextPlace::unknown, 2);
    ondemand::array array;
    if (auto code = value.get_array().get(array)) return fail(code);
    for (auto item : array) {
      if (item.error()) return fail(item.error());
      ondemand::value&& element = std::move(item).value_unsafe();
      ondemand::json_type of{};
      if (auto code = element.type().get(of)) return fail(code);
      if (of != ondemand::json_type::object) {
        if (!count_key() || !keep_all(element, TextPlace::unknown, 3)) return false;
        continue;
      }
      ondemand::object object;
      if (auto code = element.get_object().get(object)) return fail(code);
      CarriedFinding finding;
      for (auto member : object) {
        if (member.error()) return fail(member.error());
        ondemand::field&& field = std::move(member).value_unsafe();
        if (!count_key()) return false;
        const std::string_view name = peek(field.key());
        std::string_view* const to = name == "pattern"       ? &finding.pattern
                                     : name == "tier"        ? &finding.tier
                                     : name == "fingerprint" ? &finding.fingerprint
                                     : name == "place"       ? &finding.place
                                                             : nullptr;
        const bool is_times = name == "times";
        if (auto code = field.value().type().get(of)) return fail(code);
        if (to != nullptr && of == ondemand::json_type::string) {
          ondemand::raw_json_string raw;
          if (auto code = field.value().get_raw_json_string().get(raw)) return fail(code);
          *to = keep(raw, TextPlace::key);
          // An empty string behind it, for a path may end with what names a secret: content.api_key.
          const auto end = static_cast<std::uint32_t>(to->data() + to->size() - text.data());
          event.pieces.push_back({end, end, TextPlace::key});
        } else if (is_times && of == ondemand::json_type::number) {
          double times = 0;
          if (auto code = field.value().get_double().get(times)) return fail(code);
          if (times >= 1 && times < 4e9) finding.times = static_cast<std::uint32_t>(times);
        } else {
          keep(field.key(), TextPlace::key);
          if (!keep_all(field.value(), TextPlace::unknown, 3)) return false;
        }
      }
      if (!finding.pattern.empty() && !finding.fingerprint.empty()) event.carried_findings.push_back(finding);
    }
    return true;
  }

  // One name of a store or a list of them; all else is scanned as what is not known.
  bool read_uris(ondemand::value& value, ondemand::json_type type, const FieldRule& rule, int depth) {
    const auto keep_uri = [&](ondemand::value& one) {
      ondemand::raw_json_string raw;
      if (auto code = one.get_raw_json_string().get(raw)) return fail(code);
      keep(raw, TextPlace::reference, rule.field);
      return true;
    };
    if (type == ondemand::json_type::string) return keep_uri(value);
    if (type != ondemand::json_type::array) return keep_all(value, TextPlace::unknown, depth);
    ondemand::array array;
    if (auto code = value.get_array().get(array)) return fail(code);
    for (auto item : array) {
      if (item.error()) return fail(item.error());
      ondemand::value&& element = std::move(item).value_unsafe();
      if (!count_key()) return false;
      ondemand::json_type of{};
      if (auto code = element.type().get(of)) return fail(code);
      if (of == ondemand::json_type::string ? !keep_uri(element)
                                            : !keep_all(element, TextPlace::unknown, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  // Of a producer: where its store has the content, and for how long it may be kept. Of a door: what it made of the
  // content, with as much of the text as it kept, which is content all the same.
  bool read_reference(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    if (type != ondemand::json_type::object) return read_uris(value, type, rule, 2);
    ondemand::object object;
    if (auto code = value.get_object().get(object)) return fail(code);
    CarriedReference& reference = rule.field == 0 ? event.carried_content : event.carried_arguments;
    reference = {};
    for (auto member : object) {
      if (member.error()) return fail(member.error());
      ondemand::field&& field = std::move(member).value_unsafe();
      if (!count_key()) return false;
      const std::string_view name = peek(field.key());
      const bool is_hash = name == "hash", is_size = name == "bytes", is_retention = name == "retention";
      const bool is_text = name == "text", is_cut = name == "cut", is_uris = name == "uris";
      ondemand::json_type of{};
      if (auto code = field.value().type().get(of)) return fail(code);
      if ((is_hash || is_retention) && of == ondemand::json_type::string) {
        ondemand::raw_json_string raw;
        if (auto code = field.value().get_raw_json_string().get(raw)) return fail(code);
        (is_hash ? reference.hash : reference.retention) = keep(raw, TextPlace::unknown);
      } else if (is_text) {
        if (!keep_all(field.value(), rule.field == 0 ? TextPlace::content : TextPlace::argument, 3)) return false;
      } else if (is_uris) {
        if (!read_uris(field.value(), of, rule, 3)) return false;
      } else if (is_cut && of == ondemand::json_type::boolean) {
        if (auto code = field.value().get_bool().get(reference.text_is_cut)) return fail(code);
      } else if (is_size && of == ondemand::json_type::number) {
        double bytes = 0;
        if (auto code = field.value().get_double().get(bytes)) return fail(code);
        if (bytes >= 0 && bytes < 1e15) reference.bytes = static_cast<std::uint64_t>(bytes);
      } else {
        keep(field.key(), TextPlace::key);
        if (!keep_all(field.value(), TextPlace::unknown, 3)) return false;
      }
    }
    return true;
  }

  bool read_redactions(ondemand::value& value, ondemand::json_type type) {
    if (type != ondemand::json_type::number) return keep_all(value, TextPlace::unknown, 2);
    double count = 0;
    if (auto code = value.get_double().get(count)) return fail(code);
    if (count >= 0 && count < 4e9) event.carried_redactions = static_cast<std::uint32_t>(count);
    return true;
  }

  bool read_state(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    if (type != ondemand::json_type::boolean) return keep_all(value, TextPlace::unknown, 2);
    bool flag = false;
    if (auto code = value.get_bool().get(flag)) return fail(code);
    const auto which = static_cast<StateFlag>(rule.field);
    if (which == StateFlag::unscanned) event.was_unscanned = flag;
    if (which == StateFlag::agent_is_guess) event.agent_is_guess = flag;
    if (which == StateFlag::needs_open_task) event.needs_open_task = flag;
    if (which == StateFlag::outcome_is_guess) event.outcome_is_guess = flag;
    return true;
  }

  bool read_string(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    const auto field = static_cast<StringField>(rule.field);
    if (type == ondemand::json_type::string) {
      ondemand::raw_json_string raw;
      if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
      const std::string_view kept = keep(raw, TextPlace::field, rule.field);
      if (!kept.empty()) event.fields.set(field, kept);
      return true;
    }
    // Versions and ids are numbers in some telemetry: 1.4 is the text "1.4".
    if (type != ondemand::json_type::number) return fail(DecodeError::wrong_type);
    std::string_view digits = value.raw_json_token();
    while (!digits.empty() && static_cast<unsigned char>(digits.back()) <= ' ') digits.remove_suffix(1);
    double ignored = 0;
    if (auto code = value.get_double().get(ignored)) return fail(code);
    std::memcpy(text.data() + text_end, digits.data(), digits.size());
    event.fields.set(field, {text.data() + text_end, digits.size()});
    const auto begin = static_cast<std::uint32_t>(text_end);
    text_end += digits.size();
    event.pieces.push_back({begin, static_cast<std::uint32_t>(text_end), TextPlace::field, rule.field});
    text[text_end++] = '\0';
    return true;
  }

  bool read_word(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    if (type != ondemand::json_type::string) return fail(DecodeError::wrong_type);
    ondemand::raw_json_string raw;
    if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
    const std::string_view word = peek(raw);
    if (rule.kind == Kind::type) {
      const auto named = event_type_named(word);
      if (!named) return fail(DecodeError::unknown_type);
      event.fields.type = *named;
      has_type = true;
      return true;
    }
    if (word.empty()) return true;
    const auto field = static_cast<EnumField>(rule.field);
    auto number = enum_value_named(field, word);
    if (!number) {
      // An unknown word is "other", and its text is scanned like any other.
      number = enum_value_named(field, "other");
      keep(raw, TextPlace::unknown);
    }
    event.fields.set(field, *number);
    return true;
  }

  bool read_flag(ondemand::value& value, ondemand::json_type type, const FieldRule& rule) {
    bool flag = false;
    if (type == ondemand::json_type::boolean) {
      if (auto code = value.get_bool().get(flag)) return fail(code);
    } else if (type == ondemand::json_type::string) {
      ondemand::raw_json_string raw;
      if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
      const std::string_view word = peek(raw);
      if (word != "true" && word != "false") return fail(DecodeError::wrong_type);
      flag = word == "true";
    } else {
      return fail(DecodeError::wrong_type);
    }
    event.fields.set(static_cast<NumberField>(rule.field), flag ? 1 : 0);
    return true;
  }

  // Requires: a text, a number or a truth.
  bool read_own(ondemand::value& value, ondemand::json_type type, const OwnAttributes::JsonPath& path) {
    const std::size_t piece = event.pieces.size();
    std::string_view kept;
    if (type == ondemand::json_type::string) {
      ondemand::raw_json_string raw;
      if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
      kept = keep(raw, TextPlace::unknown);
    } else if (type == ondemand::json_type::number) {
      std::string_view digits = value.raw_json_token();
      while (!digits.empty() && static_cast<unsigned char>(digits.back()) <= ' ') digits.remove_suffix(1);
      double ignored = 0;
      if (auto code = value.get_double().get(ignored)) return fail(code);
      kept = keep_bytes(digits);
    } else {
      bool flag = false;
      if (auto code = value.get_bool().get(flag)) return fail(code);
      kept = keep_bytes(flag ? "true" : "false");
    }
    const StringField field = own_attribute(path.attribute);
    OwnRead& read = own_read[path.attribute];
    if (kept.empty() || (event.fields.has(field) && read.rank < path.rank)) return true;
    // Of what is passed over none may be redacted in its place.
    if (event.fields.has(field)) event.pieces[read.piece] = without_field(event.pieces[read.piece]);
    read = {path.rank, piece};
    event.pieces[piece].place = TextPlace::field;
    event.pieces[piece].field = static_cast<std::uint8_t>(field);
    event.fields.set(field, kept);
    return true;
  }

  static TextPiece without_field(TextPiece piece) { return {piece.begin, piece.end, TextPlace::unknown, 0}; }

  std::string_view keep_bytes(std::string_view bytes) {
    char* const at = text.data() + text_end;
    std::memcpy(at, bytes.data(), bytes.size());
    const auto begin = static_cast<std::uint32_t>(text_end);
    text_end += bytes.size();
    event.pieces.push_back({begin, static_cast<std::uint32_t>(text_end), TextPlace::unknown, 0});
    text[text_end++] = '\0';
    return {at, bytes.size()};
  }

  // A member that is no field of ours. `among`: those paths of attributes, by number, whose first `passed` bytes lead
  // here.
  bool read_unknown(ondemand::field& field, std::uint64_t among, std::size_t passed, int depth) {
    const std::span<const OwnAttributes::JsonPath> paths = own->json_paths();
    const std::string_view key = peek(field.key());
    const std::size_t key_size = key.size();
    const OwnAttributes::JsonPath* here = nullptr;
    std::uint64_t below = 0;
    for (; among != 0; among &= among - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(among));
      const std::string_view rest = paths[i].path.substr(passed);
      if (!rest.starts_with(key)) continue;
      if (rest.size() == key_size) here = &paths[i];
      if (rest.size() > key_size && rest[key_size] == '.') below |= std::uint64_t{1} << i;
    }
    keep(field.key(), TextPlace::key);  // what it is called may say that it is a secret
    ondemand::value& value = field.value();
    ondemand::json_type type{};
    if (auto code = value.type().get(type)) return fail(code);
    const bool is_value = type == ondemand::json_type::string || type == ondemand::json_type::number ||
                          type == ondemand::json_type::boolean;
    if (here != nullptr && is_value) return read_own(value, type, *here);
    if (below == 0 || type != ondemand::json_type::object) return keep_all(value, TextPlace::unknown, depth);
    if (depth > max_depth) return fail(DecodeError::too_deep);
    ondemand::object object;
    if (auto code = value.get_object().get(object)) return fail(code);
    for (auto member : object) {
      if (member.error()) return fail(member.error());
      ondemand::field&& inner = std::move(member).value_unsafe();
      if (!count_key() || !read_unknown(inner, below, passed + key_size + 1, depth + 1)) return false;
    }
    return true;
  }

  bool read_field(ondemand::field& field) {
    const ondemand::raw_json_string raw_key = field.key();
    const FieldRule* rule = rule_of(raw_key);
    ondemand::value& value = field.value();
    if (rule == nullptr && own != nullptr) return read_unknown(field, all_paths, 0, 2);
    if (rule == nullptr) {
      keep(raw_key, TextPlace::key);
      return keep_all(value, TextPlace::unknown, 2);
    }
    if (rule->kind == Kind::content) return keep_all(value, TextPlace::content, 2);
    if (rule->kind == Kind::arguments) return keep_all(value, TextPlace::argument, 2);
    ondemand::json_type type{};
    if (auto code = value.type().get(type)) return fail(code);
    if (type == ondemand::json_type::null) return read_null(value);
    switch (rule->kind) {
      case Kind::time:
        return read_time(value, type, *rule);
      case Kind::string:
        return read_string(value, type, *rule);
      case Kind::number:
        return read_number(value, type, *rule);
      case Kind::flag:
        return read_flag(value, type, *rule);
      case Kind::budget:
        return read_budget(value, type);
      case Kind::findings:
        return read_findings(value, type);
      case Kind::reference:
        return read_reference(value, type, *rule);
      case Kind::redactions:
        return read_redactions(value, type);
      case Kind::state:
        return read_state(value, type, *rule);
      default:
        return read_word(value, type, *rule);
    }
  }

  bool read_record(std::size_t size) {
    ondemand::document document;
    const std::size_t allocated = input.size();
    if (auto code = parser.iterate(input.data(), size, allocated).get(document)) return fail(code);
    ondemand::json_type type{};
    if (auto code = document.type().get(type)) return fail(code);
    if (type != ondemand::json_type::object) return fail(DecodeError::not_an_object);
    ondemand::object object;
    if (auto code = document.get_object().get(object)) return fail(code);
    for (auto member : object) {
      if (member.error()) return fail(member.error());
      ondemand::field&& field = std::move(member).value_unsafe();
      if (!count_key()) return false;
      if (!read_field(field)) return false;
    }
    // simdjson gives a location only where something is left.
    if (!document.current_location().error()) return fail(DecodeError::trailing_data);
    return has_type || fail(DecodeError::no_type);
  }
};

NativeDecoder::NativeDecoder() : state_(std::make_unique<State>()) {}
NativeDecoder::~NativeDecoder() = default;

void NativeDecoder::know(std::shared_ptr<const OwnAttributes> own) {
  state_->event.own = own.get();
  state_->all_paths = 0;
  for (std::size_t i = 0; own != nullptr && i < own->json_paths().size(); ++i) {
    state_->all_paths |= std::uint64_t{1} << i;
  }
  state_->own = std::move(own);
}

bool NativeDecoder::has_field(std::string_view name) {
  return rule_index.find(name) != nullptr;
}

std::vector<std::string_view> NativeDecoder::field_names() {
  std::vector<std::string_view> names;
  for (const FieldRule& rule : field_rules) names.push_back(rule.name);
  return names;
}

Result<const AgentEvent*, DecodeError> NativeDecoder::decode(std::string_view payload, std::string_view key) {
  constexpr std::size_t longest_key = 1'024;
  if (key.size() > longest_key) key = {};
  // A byte order mark is no part of the JSON text (RFC 8259, section 8.1 allows ignoring it).
  if (payload.substr(0, 3) == "\xEF\xBB\xBF") payload.remove_prefix(3);
  if (payload.empty()) return DecodeError::empty;
  if (payload.size() > max_record_bytes) return DecodeError::too_large;
  State& state = *state_;
  state.begin(payload, key);
  if (!state.read_record(payload.size())) return state.error;
  if (!state.event.fields.has(StringField::correlation_id) && may_be_label(key)) state.keep_key(key);
  state.event.text = {state.text.data(), state.text_end};
  return &state.event;
}

}  // namespace tocsin
