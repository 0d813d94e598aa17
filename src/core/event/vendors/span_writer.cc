#include "core/event/vendors/span_writer.h"

#include <utility>

namespace tocsin::vendor {

namespace {

// What a tree of the largest size can make.
constexpr std::size_t most_attributes = 1 << 20;
constexpr std::size_t most_spans = 1 << 16;
constexpr std::size_t longest_path = 320;  // no table has a longer name

AttributeValue value_of(const Tree& tree) {
  switch (tree.type()) {
    case Tree::value_t::string:
      return {AttributeValue::Kind::text, text_of(tree), 0, 0};
    case Tree::value_t::boolean:
      return {AttributeValue::Kind::flag, {}, tree.get<bool>() ? 1 : 0, 0};
    case Tree::value_t::number_integer:
    case Tree::value_t::number_unsigned:
      if (const auto number = integer_of(tree)) return {AttributeValue::Kind::integer, {}, *number, 0};
      return {};
    case Tree::value_t::number_float:
      return {AttributeValue::Kind::number, {}, 0, tree.get<double>()};
    default:
      return {};
  }
}

}  // namespace

void SpanWriter::begin(SpanBatch& batch, std::string_view vendor) {
  batch_ = &batch;
  batch_->begin(0);
  vendor_ = vendor.empty() ? std::string{} : std::string(vendor) + "/";
  texts_.clear();
  trees_.clear();
  is_over_limit_ = false;
}

std::string_view SpanWriter::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

const Tree& SpanWriter::keep(Tree tree) {
  return trees_.emplace_back(std::move(tree));
}

std::string_view SpanWriter::name_of(std::string_view path) {
  return keep(vendor_ + std::string(path));
}

void SpanWriter::open(Span span) {
  span_ = span;
  span_.begin = static_cast<std::uint32_t>(batch_->attributes.size());
  span_.events_begin = static_cast<std::uint32_t>(batch_->events.size());
  head_is_last_ = false;
}

void SpanWriter::close() {
  span_.end = static_cast<std::uint32_t>(batch_->attributes.size());
  span_.events_end = static_cast<std::uint32_t>(batch_->events.size());
  if (batch_->spans.size() >= most_spans) is_over_limit_ = true;
  if (!is_over_limit_) batch_->spans.push_back(span_);
}

void SpanWriter::add(std::string_view name, const Tree& value, bool is_part) {
  if (batch_->attributes.size() >= most_attributes) is_over_limit_ = true;
  if (is_over_limit_) return;
  if (is_part && !head_is_last_) {
    batch_->attributes.push_back({head_, {}, false, false});
    head_is_last_ = true;
  }
  if (!is_part) head_is_last_ = false;
  batch_->attributes.push_back({name, value_of(value), is_part, false});
}

void SpanWriter::put(std::string_view path, const Tree& value) {
  if (value.is_primitive() && !value.is_null()) add(name_of(path), value, false);
}

void SpanWriter::put_text(std::string_view path, std::string_view text) {
  if (text.empty()) return;
  add(name_of(path), nullptr, false);
  if (!is_over_limit_) batch_->attributes.back().value = {AttributeValue::Kind::text, text, 0, 0};
}

void SpanWriter::put_all(std::string_view path, const Tree& value) {
  head_ = name_of(path);
  head_is_last_ = false;
  std::string whole(head_);
  walk(whole, {}, value, 0);
}

void SpanWriter::walk(std::string& path, std::string_view key, const Tree& value, int level) {
  if (is_over_limit_ || level > most_levels) return;
  const std::size_t size = path.size();
  if (value.is_object()) {
    if (!key.empty()) add(key, nullptr, true);
    for (auto member = value.begin(); member != value.end(); ++member) {
      path += '.';
      path += member.key();
      walk(path, member.key(), member.value(), level + 1);
      path.resize(size);
    }
    return;
  }
  if (value.is_array()) {
    if (!key.empty()) add(key, nullptr, true);
    for (const Tree& item : value) walk(path, {}, item, level + 1);
    return;
  }
  if (level == 0 || (path.size() <= longest_path && index_->find(path) != nullptr)) {
    if (!value.is_null()) add(keep(path), value, false);
    return;
  }
  if (!key.empty() || value.is_string()) add(key, value, true);
}

void SpanWriter::put_event(std::string_view name, std::int64_t time_ns) {
  SpanEvent event;
  event.name = name;
  event.time_ns = time_ns;
  event.begin = event.end = static_cast<std::uint32_t>(batch_->attributes.size());
  batch_->events.push_back(event);
}

}  // namespace tocsin::vendor
