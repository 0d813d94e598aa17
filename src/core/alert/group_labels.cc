#include "core/alert/group_labels.h"

#include <algorithm>

namespace tocsin {

std::vector<std::string_view> parts_of_key(std::string_view key) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = key.find('\0');
    parts.push_back(key.substr(0, end));
    if (end == std::string_view::npos) return parts;
    key.remove_prefix(end + 1);
  }
}

std::string join_key(const std::vector<std::string_view>& parts) {
  std::string key;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) key += '\0';
    key += parts[i];
  }
  return key;
}

Labels all_labels_of_group(const std::vector<GroupField>& fields, std::string_view key) {
  Labels labels;
  const auto parts = parts_of_key(key);
  for (std::size_t i = 0; i < fields.size() && i < parts.size(); ++i) {
    labels.emplace_back(label_name(fields[i]), parts[i]);
  }
  return labels;
}

Labels labels_of_group(const std::vector<GroupField>& fields, std::string_view key) {
  Labels labels = all_labels_of_group(fields, key);
  std::erase_if(labels, [](const auto& label) { return label.second.empty(); });
  return labels;
}

Labels labels_of(const Rule& rule, const Labels& group) {
  Labels labels = group;
  const auto value = [&](std::string_view name) -> std::string_view {
    const auto found = std::find_if(group.begin(), group.end(), [&](const auto& one) { return one.first == name; });
    return found == group.end() ? std::string_view{} : found->second;
  };
  for (const auto& [name, text] : rule.labels) {
    std::string rendered = text.render(value, [](const Variable&) { return unknown_number; });
    if (!rendered.empty()) labels.emplace_back(name, std::move(rendered));
  }
  return labels;
}

bool has_labels(const Labels& labels, const Labels& asked) {
  return std::all_of(asked.begin(), asked.end(),
                     [&](const auto& one) { return std::find(labels.begin(), labels.end(), one) != labels.end(); });
}

}  // namespace tocsin
