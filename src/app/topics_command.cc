#include "app/topics_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "app/config.h"
#include "app/files.h"
#include "base/time_text.h"
#include "edge/kafka/topic_print.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

int print_plan(const TopicsOptions& options, const KafkaSettings& settings) {
  if (options.print == "acls") {
    const std::string principal = options.principal.empty() ? principal_of(settings) : options.principal;
    std::cout << acl_commands(settings, principal, options.agents);
    return 0;
  }
  if (options.source_partitions == 0) {
    std::cerr << "tocsin topics: say how many partitions the sources have together, with --source-partitions N\n";
    return 2;
  }
  PartitionCounts counts;
  counts.source = options.source_partitions;
  if (settings.evaluate_partitions > 0) counts.evaluate = settings.evaluate_partitions;
  constexpr std::int32_t brokers = 3;  // as every cluster that is to last has at least
  const TopicNames names(settings);
  for (const TopicSpec& spec : topic_table()) {
    if (!is_used(spec, settings)) continue;
    const auto topic = plan_topic(spec, names.name(spec.topic), counts, replication_factor(settings, brokers));
    std::cout << (options.print == "strimzi" ? strimzi_topic(topic, options.cluster)
                                             : create_command(settings, topic) + "\n");
  }
  return 0;
}

std::string setting(const SeenTopic& topic, const std::string& name) {
  if (!topic.settings) return "?";
  const auto found = topic.settings->find(name);
  return found == topic.settings->end() ? "?" : found->second;
}

void list(const KafkaSettings& settings, const TopicReport& report) {
  std::cout << fmt::format("{:<40} {:>10} {:>8}  {:<15} {}\n", "topic", "partitions", "replicas", "cleanup",
                           "retention");
  for (const WantedTopic& wanted : wanted_topics(settings)) {
    const SeenTopic& topic = report.cluster.topics.at(wanted.name);
    if (!topic.exists) {
      std::cout << fmt::format("{:<40} {:>10}\n", wanted.name, topic.denied ? "denied" : "missing");
      continue;
    }
    const std::string policy = setting(topic, "cleanup.policy"), kept = setting(topic, "retention.ms");
    const bool removes = policy.find("delete") != std::string::npos;
    const bool bounded = removes && !kept.empty() && std::isdigit(static_cast<unsigned char>(kept[0])) != 0;
    std::cout << fmt::format("{:<40} {:>10} {:>8}  {:<15} {}\n", wanted.name, topic.partitions, topic.replicas,
                             policy, bounded ? to_text(Duration{std::stoll(kept)}) : "");
  }
}

bool any_unseen(const TopicReport& report, const std::vector<PlannedTopic>& created) {
  return std::any_of(created.begin(), created.end(), [&](const PlannedTopic& topic) {
    const auto found = report.cluster.topics.find(topic.name);
    return found != report.cluster.topics.end() && !found->second.exists;
  });
}

// Makes topics, says so, and asks again until the brokers show them.
bool make(const KafkaSettings& settings, const std::vector<PlannedTopic>& topics, TopicReport& report) {
  if (topics.empty()) return true;
  const auto failures = create_topics(settings, topics, {});
  for (const std::string& failure : failures) std::cerr << "tocsin topics: not created: " << failure << '\n';
  for (int i = 0; i < 20; ++i) {
    report = check_topics(settings, {});
    if (!failures.empty() || (report.reachable() && !any_unseen(report, topics))) break;
    std::this_thread::sleep_for(500ms);
  }
  std::size_t made = 0;
  for (const PlannedTopic& topic : topics) {
    const auto found = report.cluster.topics.find(topic.name);
    if (found != report.cluster.topics.end() && found->second.exists) ++made;
  }
  std::cerr << "tocsin topics: " << made << " topics created\n";
  return failures.empty();
}

std::vector<PlannedTopic> missing_sources(const TopicsOptions& options, const KafkaSettings& settings,
                                          const TopicReport& report) {
  std::vector<PlannedTopic> missing;
  for (const std::string& source : settings.telemetry()) {
    const SeenTopic& topic = report.cluster.topics.at(source);
    if (topic.exists || topic.denied || !topic.fault.empty()) continue;
    missing.push_back({source, options.source_partitions, replication_factor(settings, report.cluster.brokers), {}});
  }
  return missing;
}

}  // namespace

std::string to_text(const TopicProblem& problem, const std::string& config) {
  std::string mend = problem.mend;
  if (const auto at = mend.find("--config FILE"); at != std::string::npos) mend.replace(at + 9, 4, config);
  return problem.topic + ": " + problem.text + (mend.empty() ? "" : "\n    " + mend);
}

std::string unreachable_text(const KafkaSettings& settings, const TopicReport& report) {
  const auto brokers = settings.properties.find("bootstrap.servers");
  return fmt::format("no broker answers at {}: {}", brokers == settings.properties.end() ? "?" : brokers->second,
                     report.cluster.why);
}

int run_topics(const TopicsOptions& options) {
  Diagnostics diagnostics;
  Config config = load_config_file(options.config, diagnostics);
  if (!diagnostics.has_errors() && !config.kafka) {
    diagnostics.error(options.config, {}, "missing-key", "there is no 'kafka' in it, so there are no topics");
  }
  if (print(diagnostics)) return 2;
  KafkaSettings& settings = *config.kafka;
  if (options.replication_factor > 0) settings.replication_factor = options.replication_factor;
  if (!options.print.empty()) return print_plan(options, settings);

  TopicReport report = check_topics(settings, {});
  bool made = true;
  if (options.create && report.reachable()) {
    if (options.source_partitions > 0) made = make(settings, missing_sources(options, settings, report), report);
    made = report.reachable() && make(settings, std::vector(report.missing), report) && made;
  }
  if (!report.reachable()) {
    std::cerr << "tocsin topics: " << unreachable_text(settings, report) << '\n';
    return 2;
  }
  list(settings, report);
  for (const TopicProblem& problem : report.problems) std::cout << '\n' << to_text(problem, options.config) << '\n';
  for (const TopicProblem& warning : report.warnings) {
    std::cout << "\nwarning: " << to_text(warning, options.config) << '\n';
  }
  std::cerr << report.problems.size() << " problems, " << report.warnings.size() << " warnings\n";
  return made && report.problems.empty() ? 0 : 1;
}

}  // namespace tocsin
