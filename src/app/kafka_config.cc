#include "app/kafka_config.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t longest_topic = 200;  // and prefix: what Tocsin's own topics add to it has room

void load_properties(YamlReader& reader, KafkaSettings& settings) {
  const auto properties = reader.text_map("properties");
  if (!properties) return;
  const YamlNode& node = *reader.find("properties");
  for (const auto& [name, value] : *properties) {
    const YamlNode* const at = node.find(name);
    if (is_secret_property(name)) {
      reader.error(
          at != nullptr ? *at : node, "secret-in-file",
          "'" + name + "' is a secret: write it under 'secret_properties', with value_file: PATH or value_env: NAME");
      continue;
    }
    for (const std::string& problem : check_properties({{name, value}})) {
      reader.error(at != nullptr ? *at : node, "bad-property", problem);
    }
    settings.properties[name] = value;
  }
}

void load_secret_properties(YamlReader& reader, const std::string& file, Diagnostics& diagnostics,
                            const ReadSecret& secret, KafkaSettings& settings) {
  const YamlNode* const node = reader.find("secret_properties");
  if (node == nullptr) return;
  if (!node->is_map()) return reader.error(*node, "wrong-type", "'secret_properties' must be a map of properties");
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const std::string& name = node->keys[i].scalar;
    YamlReader one(node->items[i], file, "secret property", diagnostics);
    if (!one.is_map()) continue;
    const auto value = secret(one, "value");
    if (one.find("value_file") == nullptr && one.find("value_env") == nullptr) {
      one.error_here("missing-key", "'" + name + "' needs 'value_file' or 'value_env'");
    }
    if (!value) continue;
    for (const std::string& problem : check_properties({{name, *value}})) {
      // librdkafka's text quotes the value.
      const bool quotes = !is_secret_property(name);
      one.error_here("bad-property", quotes ? "'" + name + "' has a value that librdkafka refuses" : problem);
    }
    settings.properties[name] = *value;
  }
}

}  // namespace

KafkaSettings load_kafka(const YamlNode& node, const std::string& file, Diagnostics& diagnostics,
                         const ReadSecret& secret) {
  KafkaSettings settings;
  YamlReader reader(node, file, "kafka", diagnostics);
  if (!reader.is_map()) return settings;
  reader.require("brokers");
  reader.require("sources");
  load_properties(reader, settings);
  load_secret_properties(reader, file, diagnostics, secret, settings);
  if (const auto brokers = reader.text("brokers")) settings.properties["bootstrap.servers"] = *brokers;
  settings.sources = reader.texts("sources").value_or(std::vector<std::string>{});
  if (reader.find("sources") != nullptr && settings.sources.empty()) {
    reader.error(*reader.find("sources"), "bad-value", "'sources' must name at least one topic");
  }
  for (const std::string& source : settings.sources) {
    const bool again = std::count(settings.sources.begin(), settings.sources.end(), source) > 1;
    if (!is_topic_name(source, longest_topic) || again) {
      reader.error(*reader.find("sources"), "bad-value",
                   "'" + source + (again ? "' stands there twice" : "' is no name of a topic"));
      break;
    }
  }
  settings.topic_prefix = reader.text("topic_prefix").value_or(settings.topic_prefix);
  if (!settings.topic_prefix.empty() && !is_topic_name(settings.topic_prefix, longest_topic)) {
    reader.error(*reader.find("topic_prefix"), "bad-value",
                 "'topic_prefix' may hold letters, digits, '.', '_' and '-'");
  }
  settings.publishes_spans = reader.flag("publish_spans").value_or(false);
  const bool is_unkeyed = reader.choice("keyed_by", {"correlation_id", "none"}).value_or(0) == 1;
  const TopicNames names(settings);
  for (std::size_t i = 0; i < topic_count; ++i) {
    const auto topic = static_cast<Topic>(i);
    const std::string& ours = names.name(topic);
    const bool is_ours = topic != Topic::source && topic != Topic::unkeyed && (topic != Topic::keyed || is_unkeyed) &&
                         (topic != Topic::spans || settings.publishes_spans);
    if (!is_ours || std::count(settings.sources.begin(), settings.sources.end(), ours) == 0) continue;
    reader.error(*reader.find("sources"), "bad-value", "'" + ours + "' is a topic of Tocsin's own, and no source");
  }
  if (is_unkeyed) settings.unkeyed = std::exchange(settings.sources, {names.name(Topic::keyed)});
  settings.group_prefix = reader.text("group_prefix").value_or(settings.topic_prefix);
  settings.instance = reader.text("instance").value_or("");
  if (const auto start = reader.choice("start", {"beginning", "end"})) settings.start_at_end = *start == 1;
  settings.session_timeout = reader.duration("session_timeout", 6s, 5min).value_or(settings.session_timeout);
  settings.idle_close = reader.flag("idle_close").value_or(true);
  settings.threads = static_cast<std::int32_t>(reader.integer("threads", 1, 64).value_or(0));
  settings.evaluate_partitions = static_cast<std::int32_t>(reader.integer("evaluate_partitions", 1, 64).value_or(0));
  settings.replication_factor = static_cast<std::int32_t>(reader.integer("replication_factor", 1, 32).value_or(0));
  return settings;
}

}  // namespace tocsin
