#include "base/yaml_text.h"

#include <algorithm>

namespace tocsin {

namespace {

std::string scalar_text(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::null) return "null";
  constexpr std::string_view special = ",[]{}#&*!|>'\"%@`\n\t\\";
  const std::string& text = node.scalar;
  const bool needs_quotes = node.quoted || text.empty() || text.find_first_of(special) != std::string::npos ||
                            text.find(": ") != std::string::npos || text.ends_with(':') || text.starts_with("- ") ||
                            text.starts_with('?') || text.front() == ' ' || text.back() == ' ';
  return needs_quotes ? in_double_quotes(text) : text;
}

bool is_plain_list(const YamlNode& node) {
  return node.is_list() && std::all_of(node.items.begin(), node.items.end(),
                                       [](const YamlNode& item) { return !item.is_list() && !item.is_map(); });
}

std::string inline_text(const YamlNode& node) {
  if (!node.is_list() && !node.is_map()) return scalar_text(node);
  std::string all;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) all += ", ";
    if (node.is_map()) all += scalar_text(node.keys[i]) + ": ";
    all += inline_text(node.items[i]);
  }
  return node.is_map() ? "{" + all + "}" : "[" + all + "]";
}

bool is_inline(const YamlNode& node) {
  return (!node.is_list() && !node.is_map()) || is_plain_list(node) || node.items.empty();
}

}  // namespace

std::string in_double_quotes(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < ' ' || byte == 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string to_yaml(const YamlNode& node, std::size_t indent) {
  const std::string space(indent, ' ');
  if (is_inline(node)) return space + inline_text(node) + "\n";
  std::string all;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    if (node.is_map()) {
      all += space + scalar_text(node.keys[i]) + ":";
      all += is_inline(item) ? " " + inline_text(item) + "\n" : "\n" + to_yaml(item, indent + 2);
    } else {
      std::string inner = to_yaml(item, indent + 2);
      inner[indent] = '-';
      all += inner;
    }
  }
  return all;
}

}  // namespace tocsin
