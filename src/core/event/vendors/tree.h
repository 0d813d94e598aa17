// JSON and MessagePack of vendors as trees. Not for the hot path: their SDKs send thousands of events a second at
// most, and what they nest in each other differs from version to version.

#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace tocsin::vendor {

using Tree = nlohmann::json;

constexpr int most_levels = 64;
constexpr std::size_t most_values = 1'000'000;
constexpr std::int64_t ns_per_ms = 1'000'000;

// Nothing where it is no JSON, nested too deeply, or of too many values.
std::optional<Tree> parse_json(std::string_view text);
// Nothing where it is no MessagePack, something follows it, or it is nested too deeply. Extension types are null.
std::optional<Tree> parse_msgpack(std::string_view bytes);

// As JSON on one line; bytes that are no UTF-8 become U+FFFD.
std::string dump(const Tree& tree);

// A member, null where there is none or `tree` is no object.
const Tree& at(const Tree& tree, const char* name);
// A member of a member, and so on: "meta.span.kind".
const Tree& at_path(const Tree& tree, std::string_view path);

// What `more` says over what `base` says: members of objects one by one; null and what is empty say nothing.
void lay_over(Tree& base, const Tree& more);

// Empty where it is no text.
std::string_view text_of(const Tree& tree);
// A number, or a text that is one.
std::optional<std::int64_t> integer_of(const Tree& tree);
// Nanoseconds since the epoch, of RFC 3339 (without a zone: UTC) or a count in s, ms, us or ns, with or without a
// fraction; 0 where it says none.
std::int64_t time_ns_of(const Tree& tree);
// The end of what began at `start_ns` and lasted so many units of `unit_ns`; 0 where one of the two is not said.
std::int64_t end_ns_of(std::int64_t start_ns, const Tree& duration, std::int64_t unit_ns);

}  // namespace tocsin::vendor
