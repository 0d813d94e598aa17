#include "edge/kafka/topic_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "base/time_text.h"
#include "edge/kafka/topic_print.h"

namespace tocsin {

namespace {

const std::string create_ours = "tocsin topics --config FILE --create";

std::optional<std::int64_t> number(const SeenTopic& seen, const std::string& setting) {
  if (!seen.settings) return std::nullopt;
  const auto found = seen.settings->find(setting);
  if (found == seen.settings->end()) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = found->second.data() + found->second.size();
  if (std::from_chars(found->second.data(), end, value).ptr != end) return std::nullopt;
  return value;
}

std::string text_of(const SeenTopic& seen, const std::string& setting) {
  if (!seen.settings) return {};
  const auto found = seen.settings->find(setting);
  return found == seen.settings->end() ? std::string() : found->second;
}

// "delete,compact" and "compact, delete" are the same.
std::set<std::string> policies(std::string_view text) {
  std::set<std::string> found;
  for (const char* policy : {"compact", "delete"}) {
    if (text.find(policy) != std::string_view::npos) found.insert(policy);
  }
  return found;
}

class Judge {
 public:
  Judge(const KafkaSettings& settings, TopicReport& report) : settings_(settings), report_(report) {}

  void judge() {
    const bool is_rekeyed = !settings_.unkeyed.empty();
    for (std::size_t i = 0; i < settings_.unkeyed.size(); ++i) judge_unkeyed(i);
    for (std::size_t i = 0; !is_rekeyed && i < settings_.sources.size(); ++i) judge_source(i);
    if (is_rekeyed) judge_keyed();
    const auto ours = used();
    if (settings_.heartbeat) {
      // Its partitions are those it has, or will have.
      report_.names.set_source_partitions(settings_.sources.size(), std::max(1, seen(Topic::heartbeat).partitions));
    }
    count_partitions();
    for (const TopicSpec* spec : ours) judge_ours(*spec);
    judge_equal({Topic::blocks, Topic::findings, Topic::states});
    judge_equal({Topic::outbox, Topic::page_status});
    judge_tasks();
    if (settings_.evaluate_partitions > 0 && seen(Topic::blocks).exists &&
        seen(Topic::blocks).partitions != settings_.evaluate_partitions) {
      warn(name(Topic::blocks),
           fmt::format("has {} partitions; evaluate_partitions: {} counts for topics that are created only",
                       seen(Topic::blocks).partitions, settings_.evaluate_partitions),
           "");
    }
  }

 private:
  const std::string& name(Topic topic) const { return report_.names.name(topic); }
  const SeenTopic& seen(Topic topic) const { return report_.cluster.topics[name(topic)]; }
  void fault(const std::string& topic, std::string text, std::string mend) {
    report_.problems.push_back({topic, std::move(text), std::move(mend), false});
  }
  void warn(const std::string& topic, std::string text, std::string mend) {
    report_.warnings.push_back({topic, std::move(text), std::move(mend), false});
  }

  std::vector<const TopicSpec*> used() const {
    std::vector<const TopicSpec*> list;
    for (const TopicSpec& spec : topic_table()) {
      if (is_used(spec, settings_)) list.push_back(&spec);
    }
    return list;
  }

  // What can't be looked at is said once; true where there is something to look at.
  bool judge_visible(const std::string& topic, const SeenTopic& it, const std::vector<std::string>& operations) {
    if (it.denied) {
      fault(topic, "is not there, or the right to describe it is missing",
            allow_command(settings_, topic, operations));
    } else if (!it.fault.empty()) {
      fault(topic, "can't be used: " + it.fault, "");
    }
    return it.exists;
  }

  void judge_rights(const std::string& topic, const SeenTopic& it) {
    if (it.may_read == false) {
      fault(topic, "the right to read it is missing", allow_command(settings_, topic, {"Read"}));
    }
    if (it.may_write == false) {
      fault(topic, "the right to write to it is missing", allow_command(settings_, topic, {"Write"}));
    }
    if (!it.settings) {
      warn(topic, "its settings can't be read, and so were not checked",
           allow_command(settings_, topic, {"DescribeConfigs"}));
    }
  }

  void judge_replicas(const std::string& topic, const SeenTopic& it) {
    if (it.replicas == 1 && report_.cluster.brokers > 1) {
      warn(topic, "has one replica: it is away, or lost, with its broker", "kafka-reassign-partitions.sh");
    }
  }

  void judge_source(std::size_t index) {
    const std::int32_t partitions = judge_telemetry(settings_.sources[index]);
    if (partitions > 0) report_.names.set_source_partitions(index, partitions);
  }

  void judge_unkeyed(std::size_t index) {
    report_.names.set_unkeyed_partitions(index, judge_telemetry(settings_.unkeyed[index]));
  }

  // What is made of unkeyed topics has as many partitions as they have together, where it is not there yet. More or
  // fewer of theirs change nothing then.
  void judge_keyed() {
    const std::int32_t seen_partitions = seen(Topic::keyed).partitions;
    if (seen_partitions > 0) {
      source_partitions_ = seen_partitions;
      sources_known_ = true;
    }
    report_.names.set_source_partitions(0, source_partitions_);
    if (text_of(seen(Topic::keyed), "message.timestamp.type") == "LogAppendTime") {
      fault(name(Topic::keyed), "stamps its records itself: a backlog would count at the time when it was rekeyed",
            set_command(settings_, name(Topic::keyed), "message.timestamp.type", "CreateTime"));
    }
    // Its records are as old as those that they were made of.
    const auto kept = number(seen(Topic::keyed), "retention.ms");
    for (const std::string& topic : settings_.unkeyed) {
      const auto theirs = number(report_.cluster.topics[topic], "retention.ms");
      const bool is_shorter = kept && theirs && *kept >= 0 && (*theirs < 0 || *theirs > *kept);
      if (!is_shorter) continue;
      warn(name(Topic::keyed),
           fmt::format(
               "keeps records for {}, and {} for longer: what is rekeyed so late may be gone before it is read",
               to_text(Duration{*kept}), topic),
           set_command(settings_, name(Topic::keyed), "retention.ms", std::to_string(*theirs)));
      break;
    }
  }

  // A topic of a deployment's own. How many partitions it has; 0 where it can't be read.
  std::int32_t judge_telemetry(const std::string& topic) {
    const SeenTopic& it = report_.cluster.topics[topic];
    if (!judge_visible(topic, it, {"Read", "Describe", "DescribeConfigs"})) {
      if (!it.denied && it.fault.empty()) {
        const std::int32_t replicas = replication_factor(settings_, report_.cluster.brokers);
        fault(topic, "the source is not there; if its name is right, its partitions are yours to choose",
              create_command(settings_, {topic, default_source_partitions, replicas, {}}));
      }
      sources_known_ = false;
      return 0;
    }
    source_partitions_ += it.partitions;
    judge_rights(topic, it);
    judge_replicas(topic, it);
    if (text_of(it, "message.timestamp.type") == "CreateTime") {
      warn(topic, "its records bear their producers' times; with the broker's time no producer's clock counts",
           set_command(settings_, topic, "message.timestamp.type", "LogAppendTime"));
    }
    return it.partitions;
  }

  // Topics that are there decide how many partitions those get that are created beside them.
  void count_partitions() {
    counts_.source = source_partitions_;
    if (settings_.evaluate_partitions > 0) counts_.evaluate = settings_.evaluate_partitions;
    const auto as_seen = [&](std::int32_t& count, std::initializer_list<Topic> topics) {
      std::int32_t most = 0;
      for (const Topic topic : topics) most = std::max(most, seen(topic).partitions);
      if (most > 0) count = most;
    };
    as_seen(counts_.evaluate, {Topic::blocks, Topic::findings, Topic::states});
    as_seen(counts_.outbox, {Topic::outbox, Topic::page_status});
  }

  void judge_ours(const TopicSpec& spec) {
    const std::string& topic = name(spec.topic);
    const SeenTopic& it = seen(spec.topic);
    if (!judge_visible(topic, it, {"Read", "Write", "Describe", "DescribeConfigs"})) {
      if (it.denied || !it.fault.empty()) return;
      fault(topic, "is not there", create_ours);
      const bool hangs_on_sources =
          spec.partitions == PartitionRule::like_source || spec.partitions == PartitionRule::covers_source;
      if (sources_known_ || !hangs_on_sources) {
        report_.missing.push_back(
            plan_topic(spec, topic, counts_, replication_factor(settings_, report_.cluster.brokers)));
      }
      return;
    }
    report_.names.set_partitions(spec.topic, it.partitions);
    judge_rights(topic, it);
    judge_replicas(topic, it);
    if (it.settings) judge_settings(spec, topic, it);
  }

  void judge_settings(const TopicSpec& spec, const std::string& topic, const SeenTopic& it) {
    const std::string policy = text_of(it, "cleanup.policy");
    if (policies(policy) != policies(name_of(spec.cleanup))) {
      const char* what = spec.cleanup == Cleanup::remove       ? "compaction would lose records of the same key"
                         : policies(policy).contains("delete") ? "state that does not change for long would be lost"
                                                               : "it would grow without end";
      fault(topic, fmt::format("has cleanup.policy={}, and needs {}: {}", policy, name_of(spec.cleanup), what),
            set_command(settings_, topic, "cleanup.policy", std::string(name_of(spec.cleanup))));
    }
    const auto kept = number(it, "retention.ms");
    if (kept && *kept >= 0 && Duration{*kept} < spec.least_retention) {
      fault(topic,
            fmt::format("keeps records for {} only; a restart needs {}", to_text(Duration{*kept}),
                        to_text(spec.least_retention)),
            set_command(settings_, topic, "retention.ms", std::to_string(spec.retention.count())));
    }
    const auto bytes = number(it, "retention.bytes");
    if (bytes && *bytes >= 0 && spec.least_retention > Duration{0}) {
      warn(topic,
           fmt::format("has retention.bytes={}: it may remove what is younger than {}", *bytes,
                       to_text(spec.least_retention)),
           set_command(settings_, topic, "retention.bytes", "-1"));
    }
    const auto longest = number(it, "max.message.bytes");
    if (longest && *longest < least_message_bytes) {
      fault(topic, fmt::format("takes {} bytes at once only; a full batch has {}", *longest, least_message_bytes),
            set_command(settings_, topic, "max.message.bytes", "1048588"));
    }
    const auto in_sync = number(it, "min.insync.replicas");
    if (in_sync && *in_sync > it.replicas) {
      fault(topic,
            fmt::format("has min.insync.replicas={} and {} replicas: nothing can be written", *in_sync, it.replicas),
            set_command(settings_, topic, "min.insync.replicas", it.replicas >= 3 ? "2" : "1"));
    }
  }

  // Partitions with the same number go to the same worker, so each must have its partners.
  void judge_equal(const std::vector<Topic>& topics) {
    std::int32_t most = 0;
    std::string list;
    for (const Topic topic : topics) {
      most = std::max(most, seen(topic).partitions);
      list += (list.empty() ? "" : ", ") + name(topic);
    }
    for (const Topic topic : topics) {
      if (!seen(topic).exists || seen(topic).partitions == most) continue;
      fault(name(topic),
            fmt::format("has {} partitions, where {} must have equally many: {}", seen(topic).partitions, list, most),
            add_partitions_command(settings_, name(topic), most));
    }
  }

  void judge_tasks() {
    const SeenTopic& tasks = seen(Topic::tasks);
    const std::int32_t needed = report_.names.partitions(Topic::source);
    if (!tasks.exists || tasks.partitions >= needed) return;
    fault(name(Topic::tasks),
          fmt::format("has {} partitions, and the sources have {}{}: each keeps its state in the one with its number",
                      tasks.partitions, needed, settings_.heartbeat ? ", with the heartbeat" : ""),
          add_partitions_command(settings_, name(Topic::tasks), std::max(needed, source_partitions_ + 1)));
    report_.problems.back().is_of_added = true;
  }

  const KafkaSettings& settings_;
  TopicReport& report_;
  bool sources_known_ = true;
  std::int32_t source_partitions_ = 0;
  PartitionCounts counts_;
};

}  // namespace

std::vector<WantedTopic> wanted_topics(const KafkaSettings& settings) {
  std::vector<WantedTopic> wanted;
  for (const std::string& topic : settings.telemetry()) wanted.push_back({topic, true, false});
  const TopicNames names(settings);
  for (const TopicSpec& spec : topic_table()) {
    if (is_used(spec, settings)) wanted.push_back({names.name(spec.topic), true, true});
  }
  return wanted;
}

TopicReport judge_topics(const KafkaSettings& settings, ClusterView cluster) {
  TopicReport report;
  report.cluster = std::move(cluster);
  report.names = TopicNames(settings);
  if (report.cluster.reachable) Judge(settings, report).judge();
  return report;
}

TopicReport check_topics(const KafkaSettings& settings, const LogLine& log) {
  return judge_topics(settings, look_at_cluster(settings, wanted_topics(settings), log));
}

}  // namespace tocsin
