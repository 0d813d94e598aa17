// Writes JSON straight into a string: for what is written with every event, where building a tree first would cost
// ten times as much. Values in, text out; nothing is checked but the strings.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tocsin {

class JsonText {
 public:
  // Inside: members (name and value) of an object, values of an array.
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  // Of a member; its value comes next. Names are ours: they hold nothing to escape.
  void name(std::string_view name);

  // Bytes that are no UTF-8 become U+FFFD.
  void text(std::string_view text);
  void integer(std::int64_t number);
  // number / 10^decimals, exactly, without trailing zeros.
  void decimal(std::int64_t number, int decimals);
  void flag(bool value);

  void member(std::string_view key, std::string_view value) {
    name(key);
    text(value);
  }
  void member(std::string_view key, std::int64_t value) {
    name(key);
    integer(value);
  }

  std::string take() { return std::move(out_); }

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();

  std::string out_;
  bool needs_comma_ = false;
};

}  // namespace tocsin
