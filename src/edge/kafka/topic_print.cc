#include "edge/kafka/topic_print.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/quotes.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

// For a shell: names and numbers stand as they are.
std::string quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-:,/=@+").find(static_cast<char>(c)) != std::string_view::npos;
  });
  return plain ? text : in_single_quotes(text);
}

std::string tool(const KafkaSettings& settings, std::string_view name) {
  const auto brokers = settings.properties.find("bootstrap.servers");
  return fmt::format("{} --bootstrap-server {}", name,
                     brokers == settings.properties.end() ? "BROKERS" : quoted(brokers->second));
}

std::string acl(const KafkaSettings& settings, const std::string& principal,
                const std::vector<std::string>& operations, const std::string& resource) {
  std::string line = tool(settings, "kafka-acls.sh") + " --add --allow-principal " + quoted(principal);
  for (const std::string& operation : operations) line += " --operation " + operation;
  return line + resource + "\n";
}

std::string partitions_text(PartitionRule rule) {
  switch (rule) {
    case PartitionRule::one:
      return "1";
    case PartitionRule::like_source:
      return "as many as the sources";
    case PartitionRule::covers_source:
      return "as many as the sources, and 1";
    case PartitionRule::evaluate:
      return fmt::format("`evaluate_partitions` ({})", default_evaluate_partitions);
    case PartitionRule::outbox:
      return std::to_string(default_outbox_partitions);
  }
  return "";
}

}  // namespace

std::string create_command(const KafkaSettings& settings, const PlannedTopic& topic) {
  std::string line =
      fmt::format("{} --create --topic {} --partitions {} --replication-factor {}", tool(settings, "kafka-topics.sh"),
                  quoted(topic.name), topic.partitions, topic.replication_factor);
  for (const auto& [name, value] : topic.settings) line += fmt::format(" --config {}={}", name, value);
  return line;
}

std::string add_partitions_command(const KafkaSettings& settings, const std::string& topic, std::int32_t partitions) {
  return fmt::format("{} --alter --topic {} --partitions {}", tool(settings, "kafka-topics.sh"), quoted(topic),
                     partitions);
}

std::string set_command(const KafkaSettings& settings, const std::string& topic, const std::string& name,
                        const std::string& value) {
  const bool is_list = value.find(',') != std::string::npos;
  return fmt::format("{} --alter --entity-type topics --entity-name {} --add-config {}",
                     tool(settings, "kafka-configs.sh"), quoted(topic),
                     is_list ? quoted(name + "=[" + value + "]") : name + "=" + value);
}

std::string allow_command(const KafkaSettings& settings, const std::string& topic,
                          const std::vector<std::string>& operations) {
  std::string line = acl(settings, principal_of(settings), operations, " --topic " + quoted(topic));
  line.pop_back();
  return line;
}

std::string principal_of(const KafkaSettings& settings) {
  const auto user = settings.properties.find("sasl.username");
  return "User:" + (user == settings.properties.end() ? "tocsin" : user->second);
}

std::string strimzi_topic(const PlannedTopic& topic, const std::string& cluster) {
  // A resource's name has no '_' and no capitals; the topic's own name stands in the spec.
  std::string name = topic.name;
  for (char& c : name) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string text = fmt::format(
      "---\napiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaTopic\nmetadata:\n  name: {}\n  labels:\n"
      "    strimzi.io/cluster: {}\nspec:\n  topicName: \"{}\"\n  partitions: {}\n  replicas: {}\n  config:\n",
      name, cluster, topic.name, topic.partitions, topic.replication_factor);
  for (const auto& [key, value] : topic.settings) {
    const bool number = value.find_first_not_of("0123456789.") == std::string::npos;
    text += number ? fmt::format("    {}: {}\n", key, value) : fmt::format("    {}: \"{}\"\n", key, value);
  }
  return text;
}

std::string acl_commands(const KafkaSettings& settings, const std::string& principal, const std::string& agents) {
  const TopicNames names(settings);
  std::string sources, ours;
  const bool is_rekeyed = !settings.unkeyed.empty();
  for (const std::string& topic : settings.telemetry()) sources += " --topic " + quoted(topic);
  for (const TopicSpec& spec : topic_table()) {
    if (is_used(spec, settings)) ours += " --topic " + quoted(names.name(spec.topic));
  }
  const std::string& group = settings.group_prefix;
  const auto of = [&](std::string_view option, std::string_view name) {
    return fmt::format(" {} {}", option, quoted(fmt::format("{}{}", group, name)));
  };
  const std::string prefixed = " --resource-pattern-type prefixed";
  std::string text = "# The service reads the sources, and reads and writes its own topics.\n";
  text += acl(settings, principal, {"Read", "Describe", "DescribeConfigs"}, sources);
  if (settings.has_doors && !is_rekeyed) {
    text += "# What SDKs post to its doors goes to the first source.\n";
    text += acl(settings, principal, {"Write"}, " --topic " + quoted(settings.sources.front()));
  }
  text += acl(settings, principal, {"Read", "Write", "Describe", "DescribeConfigs"}, ours);
  const std::string rekey_group = is_rekeyed ? of("--group", "rekey") : "";
  text += acl(settings, principal, {"Read", "Describe"},
              of("--group", "ingest") + of("--group", "evaluate") + rekey_group);
  text += acl(settings, principal, {"Read", "Describe"}, of("--group", "deliver-") + prefixed);
  text += acl(settings, principal, {"Write", "Describe"},
              of("--transactional-id", "ingest-") + of("--transactional-id", "evaluate-") +
                  of("--transactional-id", "deliver-") + (is_rekeyed ? of("--transactional-id", "rekey-") : "") +
                  prefixed);
  text += acl(settings, principal, {"IdempotentWrite"}, " --cluster");
  text += "# Agents that obey halts read them, and write acknowledgements.\n";
  text += acl(settings, agents, {"Read", "Describe"}, " --topic " + quoted(names.name(Topic::halts)));
  text += acl(settings, agents, {"Write", "Describe"}, " --topic " + quoted(names.name(Topic::halt_acks)));
  return text;
}

std::string topic_table_text() {
  std::string text =
      "| topic | key | partitions | cleanup | retention | MB a day per 1,000 events/s | read by | written by |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const TopicSpec& spec : topic_table()) {
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} |\n", name_of(spec.topic), spec.key,
                        partitions_text(spec.partitions), name_of(spec.cleanup),
                        spec.cleanup == Cleanup::compact ? "" : to_text(spec.retention), spec.volume, spec.read_by,
                        spec.written_by);
  }
  return text;
}

}  // namespace tocsin
