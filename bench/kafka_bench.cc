// Tocsin's ingest on a real broker against bare librdkafka on the same topic, in one run: CPU time an event, and how
// long a secret takes to become a halt.
//
//   python3 bench/kafka_bench.py [--events N] [--halts N]     starts a broker, and runs this
//
// The CPU time is the whole process's, librdkafka's threads included: what a deployment pays. Both read from the
// beginning to the end of one topic of generated events, four partitions, uncompressed.

#include <librdkafka/rdkafka.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "app/files.h"
#include "edge/clock/system_clock.h"
#include "edge/kafka/kafka_bus.h"
#include "edge/kafka/topic_check.h"
#include "runtime/ingest_worker.h"
#include "traffic.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "kafka_bench: %s\n", why.c_str());
  std::exit(1);
}

rd_kafka_t* client(rd_kafka_type_t type, const std::map<std::string, std::string>& properties) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char text[512];
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK) fail(text);
  }
  rd_kafka_t* made = rd_kafka_new(type, conf, text, sizeof text);
  if (made == nullptr) fail(text);
  return made;
}

// Puts generated events on the topic, each task in one partition, with stamps that go on in order.
void load(const std::string& brokers, const std::string& topic, std::int32_t partitions, std::size_t events) {
  rd_kafka_t* producer = client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers},
                                                    {"linger.ms", "20"},
                                                    {"batch.num.messages", "10000"},
                                                    {"queue.buffering.max.messages", "1000000"}});
  Traffic traffic = Traffic::generated();
  std::size_t sent = 0;
  while (sent < events) {
    traffic.begin_pass(500us);
    for (std::size_t i = 0; i < traffic.size() && sent < events; ++i, ++sent) {
      const RawRecord record = traffic.record(i);
      const auto partition =
          static_cast<std::int32_t>(std::hash<std::string_view>{}(record.key) % static_cast<std::size_t>(partitions));
      rd_kafka_vu_t fields[6]{};
      fields[0].vtype = RD_KAFKA_VTYPE_TOPIC;
      fields[0].u.cstr = topic.c_str();
      fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
      fields[1].u.i32 = partition;
      fields[2].vtype = RD_KAFKA_VTYPE_KEY;
      fields[2].u.mem = {const_cast<char*>(record.key.data()), record.key.size()};
      fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
      fields[3].u.mem = {const_cast<char*>(record.value.data()), record.value.size()};
      fields[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
      fields[4].u.i64 = record.time->since_epoch.count();
      fields[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
      fields[5].u.i = RD_KAFKA_MSG_F_COPY;
      for (bool is_full = true; is_full;) {
        rd_kafka_error_t* error = rd_kafka_produceva(producer, fields, 6);
        is_full = error != nullptr;
        if (is_full && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
          fail(rd_kafka_error_string(error));
        if (is_full) rd_kafka_error_destroy(error);
        rd_kafka_poll(producer, is_full ? 10 : 0);
      }
    }
  }
  if (rd_kafka_flush(producer, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("the events were not acknowledged");
  rd_kafka_destroy(producer);
}

struct Cost {
  double cpu_ns = 0;  // an event
  double events_per_s = 0;
};

// The fetch settings are those of Tocsin's own consumer.
Cost bare(const std::string& brokers, const std::string& topic, std::int32_t partitions, std::size_t events) {
  rd_kafka_t* consumer = client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers},
                                                    {"group.id", "bench-bare"},
                                                    {"queued.min.messages", "20000"},
                                                    {"queued.max.messages.kbytes", "16384"},
                                                    {"fetch.max.bytes", "2097152"},
                                                    {"fetch.message.max.bytes", "1048576"},
                                                    {"fetch.wait.max.ms", "100"}});
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (std::int32_t p = 0; p < partitions; ++p) rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = 0;
  rd_kafka_assign(consumer, list);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
  std::vector<rd_kafka_message_t*> batch(1'000);
  std::size_t seen = 0, bytes = 0;
  const double cpu = cpu_seconds();
  const auto begun = Steady::now();
  while (seen < events) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
    for (ssize_t i = 0; i < count; ++i) {
      if (batch[static_cast<std::size_t>(i)]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++seen;
        bytes += batch[static_cast<std::size_t>(i)]->len;
      }
      rd_kafka_message_destroy(batch[static_cast<std::size_t>(i)]);
    }
    if (Steady::now() - begun > 300s) fail("bare consumption does not come to its end");
  }
  const double used = cpu_seconds() - cpu;
  const double seconds = std::chrono::duration<double>(Steady::now() - begun).count();
  std::printf("events of %zu bytes on the average\n", bytes / events);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  const auto n = static_cast<double>(events);
  return {used / n * 1e9, n / seconds};
}

struct Parts {
  std::unique_ptr<KafkaBus> bus;
  std::unique_ptr<FixedRules> rules;
  SystemClock clock;
  Fingerprinter fingerprinter{std::vector<unsigned char>(32, 1)};

  IngestWorker::Options options(bool publishes) const {
    IngestWorker::Options own;
    own.name = "ingest-0";
    own.ingest.halts.per_agent = own.ingest.halts.in_all = 1'000'000;
    own.ingest.publish_events = publishes;
    own.closes_when_idle = false;
    return own;
  }
};

Parts connect(const std::string& brokers, const std::string& source, const std::string& prefix) {
  KafkaSettings settings;
  settings.properties["bootstrap.servers"] = brokers;
  settings.sources = {source};
  settings.topic_prefix = prefix;
  settings.group_prefix = prefix + std::to_string(Steady::now().time_since_epoch().count()) + ".";
  TopicReport report = check_topics(settings, {});
  for (const TopicProblem& problem : report.problems)
    std::fprintf(stderr, "%s: %s\n", problem.topic.c_str(), problem.text.c_str());
  if (!report.is_good()) fail("the topics are not as they must be");
  Parts parts;
  Diagnostics diagnostics;
  const auto loaded = load_rules_and_patterns(std::vector<std::string>{}, diagnostics);
  parts.rules = std::make_unique<FixedRules>(loaded.rules, loaded.patterns);
  auto bus = KafkaBus::start(settings, std::move(report.names), [](LogLevel, const std::string&) {});
  if (!bus) fail(bus.error());
  parts.bus = std::move(bus.value());
  return parts;
}

Cost ingest(const std::string& brokers, const std::string& source, const std::string& prefix, std::size_t events,
            bool publishes) {
  Parts parts = connect(brokers, source, prefix);
  IngestWorker worker(parts.options(publishes), *parts.bus, parts.clock, *parts.rules, parts.fingerprinter,
                      [](bool is_fault, const std::string& line) {
                        if (is_fault) std::fprintf(stderr, "%s\n", line.c_str());
                      });
  std::atomic<bool> stop{false};
  const double cpu = cpu_seconds();
  const auto begun = Steady::now();
  std::thread thread([&] { worker.run(stop); });
  const auto wanted = static_cast<std::int64_t>(events);
  // Joining the group takes a moment; it costs no CPU to speak of.
  auto first = begun;
  while (worker.view()->totals.records < wanted) {
    std::this_thread::sleep_for(2ms);
    if (worker.view()->totals.records == 0) first = Steady::now();
    if (Steady::now() - begun > 600s) fail("ingest does not come to its end");
  }
  const double used = cpu_seconds() - cpu;
  const double seconds = std::chrono::duration<double>(Steady::now() - first).count();
  stop = true;
  worker.wake();
  thread.join();
  const auto view = worker.view();
  const StreamTotals& totals = view->totals;
  if (totals.records != wanted || totals.all_dead_letters() != 0) fail("not every event was read well");
  const auto n = static_cast<double>(events);
  return {used / n * 1e9, n / seconds};
}

struct Delays {
  std::vector<double> ms;
  double at(double quantile) {
    std::sort(ms.begin(), ms.end());
    return ms[std::min(ms.size() - 1, static_cast<std::size_t>(quantile * static_cast<double>(ms.size())))];
  }
};

// From a record's production to the moment in which a reader of `to` has what it led to. `make(i)`: key and value.
template <class Make>
Delays round_trips(Bus& bus, Topic into, Topic to, int count, Make make) {
  const auto tail = bus.tail({to});
  const auto read_until = [&](const std::string& wanted, std::chrono::seconds limit) {
    const auto until = Steady::now() + limit;
    for (bool found = false; !found;) {
      tail->read([&](const BusRecord& record) { found = found || record.key.find(wanted) != std::string_view::npos; },
                 100ms);
      if (Steady::now() > until) fail("nothing came of a record");
    }
  };
  InFlight in_flight;
  Delays delays;
  for (int i = -5; i < count; ++i) {
    const auto [key, value] = make(i);
    const auto sent = Steady::now();
    bus.send({into, 0, key, value}, in_flight);
    read_until(key, 60s);
    if (i >= 0) delays.ms.push_back(std::chrono::duration<double, std::milli>(Steady::now() - sent).count());
    std::this_thread::sleep_for(5ms);
  }
  while (in_flight.records > 0) std::this_thread::sleep_for(1ms);
  return delays;
}

void latency(const std::string& brokers, const std::string& source, const std::string& prefix, int count) {
  Parts parts = connect(brokers, source, prefix);
  Delays plain = round_trips(*parts.bus, Topic::halt_acks, Topic::halt_acks, count, [](int i) {
    return std::pair("bench-plain-" + std::to_string(i), std::string(600, 'x'));
  });
  auto options = parts.options(false);
  options.ingest.deployment = "bench";
  IngestWorker worker(options, *parts.bus, parts.clock, *parts.rules, parts.fingerprinter,
                      [](bool, const std::string&) {});
  std::atomic<bool> stop{false};
  std::thread thread([&] { worker.run(stop); });
  while (!worker.is_working()) std::this_thread::sleep_for(10ms);
  // In two pieces, so that no scanner of sources takes it for a key.
  const std::string secret = std::string("AKIA") + "ODZDOCIS2JHTLGMX";
  Delays halts = round_trips(*parts.bus, Topic::source, Topic::halts, count, [&](int i) {
    const std::string id =
        "bench-halt-" + std::to_string(i) + "-" + std::to_string(Steady::now().time_since_epoch().count());
    return std::pair(id, R"({"type":"tool.call","correlation_id":")" + id +
                             R"(","env":"bench","agent":"bench","tool":"read_file","content":{"result":"aws_key = )" +
                             secret + std::string(450, '.') + "\"}}");
  });
  stop = true;
  worker.wake();
  thread.join();
  std::printf("produce -> consume, bare:          p50 %.2f ms  p99 %.2f ms\n", plain.at(0.5), plain.at(0.99));
  std::printf("secret produced -> halt readable:  p50 %.2f ms  p99 %.2f ms  (%.1f times the bare p50)\n",
              halts.at(0.5), halts.at(0.99), halts.at(0.5) / plain.at(0.5));
}

int run(int count, char** values) {
  if (count < 7) fail("usage: BROKERS SOURCE PARTITIONS PREFIX EVENTS HALTS [READ_AGAIN]");
  const std::string brokers = values[1], source = values[2], prefix = values[4];
  const std::int32_t partitions = std::atoi(values[3]);
  const auto events = static_cast<std::size_t>(std::atoll(values[5]));
  const int halts = std::atoi(values[6]);
  load(brokers, source, partitions, events);
  bare(brokers, source, partitions, events);  // so that the page cache is warm for all
  const Cost plain = bare(brokers, source, partitions, events);
  const Cost quiet = ingest(brokers, source, prefix, events, false);
  const Cost publishing = ingest(brokers, source, prefix, events, true);
  const auto print = [&](const char* what, const Cost& cost) {
    std::printf("%-38s %7.0f ns CPU an event  %9.0f events/s  bare/this %.2f\n", what, cost.cpu_ns, cost.events_per_s,
                plain.cpu_ns / cost.cpu_ns);
  };
  print("bare librdkafka", plain);
  print("tocsin ingest, seven rules", quiet);
  print("the same, publishing sanitized events", publishing);
  latency(brokers, source, prefix, halts);
  return 0;
}

}  // namespace
}  // namespace tocsin

int main(int count, char** values) {
  return tocsin::run(count, values);
}
