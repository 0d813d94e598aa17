// The wire form of values that cross topics or outlive a process: base-128 varints, little-endian (signed ones
// zigzag), and length-prefixed strings.
//
// One description of each type serves both directions: a Writer appends what a Reader takes back. A Reader refuses
// what is cut short or says more than it holds, and never reads past the end.
//
// A record begins with the version of its form, 1 or more; another version can't be read. What a later release adds
// under the same version stands in sections behind it, so that the release before reads past it: a record with
// sections is a 0, the record of before as a text, and each section as a text, in the order in which releases
// appended them. Whoever reads one with fewer sections than it knows takes defaults.

#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"

namespace tocsin::wire {

class Writer {
 public:
  static constexpr bool reads = false;

  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  // Well-mixed bits, which a varint would make longer.
  void bits(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void text(const std::string& text) {
    number(text.size());
    bytes_ += text;
  }
  template <class T, class Item>
  void list(std::vector<T>& items, Item item) {
    number(items.size());
    for (T& one : items) item(one);
  }
  bool good() const { return true; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  static constexpr bool reads = true;

  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  void number(std::uint64_t& value) {
    if (!bytes_.empty() && static_cast<unsigned char>(bytes_.front()) < 0x80) {  // most are
      value = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      return;
    }
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return fail();
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return;
    }
    fail();
  }
  void bits(std::uint64_t& value) {
    value = 0;
    if (bytes_.size() < 8) return fail();
    for (int i = 0; i < 8; ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)])) << (8 * i);
    }
    bytes_.remove_prefix(8);
  }
  void text(std::string& text) {
    std::uint64_t size = 0;
    number(size);
    if (size > bytes_.size()) return fail();
    text.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
  }
  template <class T, class Item>
  void list(std::vector<T>& items, Item item) {
    std::uint64_t size = 0;
    number(size);
    if (size > bytes_.size()) return fail();  // an item has one byte at least
    items.clear();
    for (std::uint64_t i = 0; i < size && good_; ++i) item(items.emplace_back());
  }
  void fail() {
    good_ = false;
    bytes_ = {};
  }
  bool good() const { return good_; }
  std::size_t left() const { return bytes_.size(); }
  bool read_all() const { return good_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

inline void pass(Writer& out, std::int64_t& value) {
  out.number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}
inline void pass(Reader& in, std::int64_t& value) {
  std::uint64_t raw = 0;
  in.number(raw);
  value = static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
}

template <class Coder, class Integer>
void pass_integer(Coder& coder, Integer& value) {
  auto wide = static_cast<std::int64_t>(value);
  pass(coder, wide);
  value = static_cast<Integer>(wide);
}

// An enumeration of `count` values, or a flag; a reader refuses others.
template <class Coder, class Enum>
void pass_enum(Coder& coder, Enum& value, std::int64_t count) {
  auto number = static_cast<std::int64_t>(value);
  pass(coder, number);
  if constexpr (Coder::reads) {
    if (number < 0 || number >= count) return coder.fail();
  }
  value = static_cast<Enum>(number);
}

template <class Coder>
void pass(Coder& coder, bool& value) {
  pass_enum(coder, value, 2);
}
template <class Coder>
void pass(Coder& coder, std::string& text) {
  coder.text(text);
}
template <class Coder>
void pass(Coder& coder, double& value) {
  auto bits = std::bit_cast<std::uint64_t>(value);
  coder.bits(bits);
  value = std::bit_cast<double>(bits);
}
template <class Coder>
void pass(Coder& coder, Duration& duration) {
  std::int64_t count = duration.count();
  pass(coder, count);
  duration = Duration{count};
}
template <class Coder>
void pass(Coder& coder, RecordTime& time) {
  pass(coder, time.since_epoch);
}
template <class Coder>
void pass(Coder& coder, EventTime& time) {
  Duration since = time.time_since_epoch();
  pass(coder, since);
  time = EventTime{since};
}
template <class Coder, class T>
void pass(Coder& coder, std::optional<T>& value) {
  bool has_value = value.has_value();
  pass(coder, has_value);
  if (!has_value) return value.reset();
  if (!value) value.emplace();
  pass(coder, *value);
}

// The bytes of `value`, behind the version of their form. `describe(coder, value)`.
template <class T, class Describe>
std::string write(const T& value, std::uint64_t version, Describe describe) {
  Writer writer;
  writer.number(version);
  T copy = value;  // the description takes what a reader fills
  describe(writer, copy);
  return writer.take();
}

// False where the bytes are of another version, cut short, or more than the value.
template <class T, class Describe>
bool read(std::string_view bytes, std::uint64_t version, T& value, Describe describe) {
  Reader reader(bytes);
  std::uint64_t found = 0;
  reader.number(found);
  if (!reader.good() || found != version) return false;
  describe(reader, value);
  return reader.read_all();
}

struct Parts {
  std::string_view record;    // as it is without sections
  std::string_view sections;  // each as a text: what next_section() takes apart, and what can be kept as it is
};

// Takes the first section off; nothing where it is cut short.
inline std::optional<std::string_view> next_section(std::string_view& sections) {
  Reader reader(sections);
  std::uint64_t size = 0;
  reader.number(size);
  if (!reader.good() || size > reader.left()) return std::nullopt;
  const std::string_view section = sections.substr(sections.size() - reader.left(), size);
  sections.remove_prefix(sections.size() - reader.left() + size);
  return section;
}

// Nothing where a record with sections is cut short.
inline std::optional<Parts> parts_of(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != 0) return Parts{bytes, {}};
  bytes.remove_prefix(1);
  const auto record = next_section(bytes);
  if (!record) return std::nullopt;
  for (std::string_view left = bytes; !left.empty();) {
    if (!next_section(left)) return std::nullopt;
  }
  return Parts{*record, bytes};
}

// `sections`: as in Parts, or one that append_section() wrote.
inline std::string join(std::string_view record, std::string_view sections) {
  if (sections.empty()) return std::string(record);
  Writer writer;
  writer.number(0);
  writer.text(std::string(record));
  return writer.take().append(sections);
}

inline void append_section(std::string& sections, const std::string& section) {
  Writer writer;
  writer.text(section);
  sections += writer.take();
}

}  // namespace tocsin::wire
