#include "core/event/vendors/tree.h"

#include <charconv>
#include <cmath>
#include <msgpack.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/time_text.h"

namespace tocsin::vendor {

namespace {

const Tree nothing;

// Builds the tree from the parser's calls; every container is counted against the depth, and a container's announced
// size makes no memory: it grows by what really comes.
class TreeVisitor : public msgpack::null_visitor {
 public:
  bool visit_nil() { return put(nullptr); }
  bool visit_boolean(bool value) { return put(value); }
  bool visit_positive_integer(std::uint64_t value) { return put(value); }
  bool visit_negative_integer(std::int64_t value) { return put(value); }
  bool visit_float32(float value) { return put(static_cast<double>(value)); }
  bool visit_float64(double value) { return put(value); }
  bool visit_str(const char* text, std::uint32_t size) { return put(std::string(text, size)); }
  bool visit_bin(const char* bytes, std::uint32_t size) { return put(std::string(bytes, size)); }
  bool visit_ext(const char*, std::uint32_t) { return put(nullptr); }
  bool start_array(std::uint32_t) { return open(Tree::array()); }
  bool end_array() { return close(); }
  bool start_map(std::uint32_t) { return open(Tree::object()); }
  bool end_map() { return close(); }
  bool start_map_key() {
    is_key_ = true;
    return true;
  }
  bool end_map_key() {
    is_key_ = false;
    return true;
  }
  void parse_error(std::size_t, std::size_t) {}
  void insufficient_bytes(std::size_t, std::size_t) {}

  Tree take() { return std::move(root_); }

 private:
  struct Level {
    Tree* tree = nullptr;
    std::string key;
  };

  bool is_over_limit() { return ++values_ > most_values; }

  // A key may be a number: v0.5 of Datadog's traces has tables by number.
  bool put(Tree value) {
    if (is_over_limit()) return false;
    if (is_key_) {
      levels_.back().key = value.is_string() ? value.get<std::string>() : dump(value);
      return true;
    }
    place(std::move(value));
    return true;
  }
  Tree* place(Tree value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.tree->is_array()) return &level.tree->emplace_back(std::move(value));
    return &((*level.tree)[level.key] = std::move(value));
  }
  bool open(Tree value) {
    if (is_key_ || levels_.size() >= most_levels || is_over_limit()) return false;
    levels_.push_back({place(std::move(value)), {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  Tree root_;
  std::vector<Level> levels_;  // a container stays where it is while what is in it is built
  bool is_key_ = false;
  std::size_t values_ = 0;
};

// The digits of a fraction of a second behind the third: nanoseconds below a millisecond.
std::int64_t finer_than_ms(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return 0;
  std::int64_t ns = 0, unit = 100'000;
  for (std::size_t i = dot + 4; i < text.size() && unit > 0 && text[i] >= '0' && text[i] <= '9'; ++i, unit /= 10) {
    ns += (text[i] - '0') * unit;
  }
  return ns;
}

// Nested too deeply, or of too many values: a tree takes some fifty times what its text does.
bool is_too_much(std::string_view json) {
  int level = 0;
  std::size_t values = 0;
  bool is_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (is_text) {
      if (c == '\\') ++i;
      if (c == '"') is_text = false;
    } else if (c == '"') {
      is_text = true;
    } else if (c == ',') {
      if (++values > most_values) return true;
    } else if (c == '{' || c == '[') {
      if (++level > most_levels || ++values > most_values) return true;
    } else if (c == '}' || c == ']') {
      --level;
    }
  }
  return false;
}

std::int64_t ns_of_number(double number) {
  if (!(number > 0) || number > 9e18) return 0;
  double ns = number;
  if (number < 1e11) {
    ns = number * 1e9;
  } else if (number < 1e14) {
    ns = number * 1e6;
  } else if (number < 1e17) {
    ns = number * 1e3;
  }
  return ns > 9e18 ? 0 : std::llround(ns);
}

}  // namespace

std::optional<Tree> parse_json(std::string_view text) {
  if (is_too_much(text)) return std::nullopt;
  Tree tree = Tree::parse(text.begin(), text.end(), nullptr, false);
  if (tree.is_discarded()) return std::nullopt;
  return tree;
}

std::optional<Tree> parse_msgpack(std::string_view bytes) {
  TreeVisitor visitor;
  std::size_t end = 0;
  if (!msgpack::parse(bytes.data(), bytes.size(), end, visitor) || end != bytes.size()) return std::nullopt;
  return visitor.take();
}

std::string dump(const Tree& tree) {
  return tree.dump(-1, ' ', false, Tree::error_handler_t::replace);
}

const Tree& at(const Tree& tree, const char* name) {
  if (!tree.is_object()) return nothing;
  const auto found = tree.find(name);
  return found == tree.end() ? nothing : *found;
}

const Tree& at_path(const Tree& tree, std::string_view path) {
  const Tree* here = &tree;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    here = &at(*here, std::string(path.substr(0, dot)).c_str());
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  return *here;
}

void lay_over(Tree& base, const Tree& more) {
  if (!base.is_object() || !more.is_object()) {
    if (!more.is_null() && !(more.is_structured() && more.empty() && !base.is_null())) base = more;
    return;
  }
  for (auto member = more.begin(); member != more.end(); ++member) lay_over(base[member.key()], member.value());
}

std::string_view text_of(const Tree& tree) {
  return tree.is_string() ? std::string_view(tree.get_ref<const std::string&>()) : std::string_view{};
}

std::optional<std::int64_t> integer_of(const Tree& tree) {
  if (tree.is_number_unsigned() && tree.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  if (tree.is_number_integer()) return tree.get<std::int64_t>();
  if (tree.is_number_float()) {
    const double number = tree.get<double>();
    if (!(std::abs(number) < 9e18)) return std::nullopt;
    return std::llround(number);
  }
  const std::string_view text = text_of(tree);
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::int64_t time_ns_of(const Tree& tree) {
  if (tree.is_number_integer()) {
    const auto number = integer_of(tree);
    if (!number || *number <= 0) return 0;
    if (*number >= 100'000'000'000'000'000) return *number;  // as it is, to the last digit
    return ns_of_number(static_cast<double>(*number));
  }
  if (tree.is_number_float()) return ns_of_number(tree.get<double>());
  const std::string_view text = text_of(tree);
  if (text.empty()) return 0;
  auto time = parse_rfc3339(text);
  if (!time) time = parse_rfc3339(std::string(text) + "Z");
  if (!time) return 0;
  const std::int64_t ms = time->time_since_epoch() / std::chrono::milliseconds{1};
  if (ms <= 0 || ms > INT64_MAX / ns_per_ms - 1) return 0;
  return ms * ns_per_ms + finer_than_ms(text);
}

std::int64_t end_ns_of(std::int64_t start_ns, const Tree& duration, std::int64_t unit_ns) {
  const auto length = integer_of(duration);
  if (!length || start_ns <= 0 || *length < 0 || *length >= (INT64_MAX - start_ns) / unit_ns) return 0;
  return start_ns + *length * unit_ns;
}

}  // namespace tocsin::vendor
