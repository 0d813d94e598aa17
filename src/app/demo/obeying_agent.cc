#include "app/demo/obeying_agent.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <iostream>

#include "base/json.h"
#include "base/time_text.h"
#include "edge/http/client.h"

extern char** environ;

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// The next records of a topic, waiting for them a while; an empty list where none came.
Json next_records(const std::string& url, const std::string& topic, std::int64_t& from) {
  const auto reply =
      http_call("GET", url + "/v1/topics/" + topic + "?wait_ms=1000&from=" + std::to_string(from), {}, {}, 10s);
  if (!reply || reply.value().status != 200) {
    std::this_thread::sleep_for(50ms);
    return Json::array();
  }
  const Json json = parse_json(reply.value().body);
  if (!json.is_object() || !json.contains("records")) return Json::array();
  from = json.value("next", from);
  return json["records"];
}

// Milliseconds since the epoch at which the record was written.
std::int64_t written_at(const Json& record) {
  const auto found = record.find("time");
  if (found == record.end() || !found->is_string()) return 0;
  return parse_rfc3339(found->get<std::string>()).value_or(EventTime{}).time_since_epoch().count();
}

bool is_halt_of(const std::string& task, const Json& value) {
  return value.is_object() && value.value("scope", "") == "task:" + task && value.value("enforced", false);
}

}  // namespace

ObeyingAgent::ObeyingAgent(std::string url, std::string task, std::string command)
    : url_(std::move(url)), task_(std::move(task)) {
  if (command.empty()) {
    watcher_ = std::thread([this] { watch_halts(); });
  } else {
    start_command(command);
    watcher_ = std::thread([this] { watch_acknowledgements(); });
  }
}

ObeyingAgent::~ObeyingAgent() {
  stop();
}

namespace {

std::int64_t now_ms() {
  return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

void ObeyingAgent::note_sending() {
  // After the halt the count goes on from the event that caused it.
  if (!halted_) sent_at_ = now_ms();
}

void ObeyingAgent::stop() {
  stop_ = true;
  if (watcher_.joinable()) watcher_.join();
  if (child_ > 0) {
    kill(child_, SIGTERM);
    waitpid(child_, nullptr, 0);
    child_ = -1;
  }
}

void ObeyingAgent::start_command(const std::string& command) {
  const std::string line = "exec " + command + " --url \"$1\" --task \"$2\" > /dev/null";
  const char* const arguments[] = {"sh", "-c", line.c_str(), "agent", url_.c_str(), task_.c_str(), nullptr};
  // The signals that this process waits for itself must end the child as usual.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  // posix_spawn promises not to change the strings, though its type does not say so.
  if (posix_spawn(&child_, "/bin/sh", nullptr, &attributes, const_cast<char* const*>(arguments), environ) != 0) {
    child_ = -1;
  }
  posix_spawnattr_destroy(&attributes);
}

void ObeyingAgent::show_halt(std::int64_t written_at, const std::string& reason) {
  halted_ = true;
  std::cout << fmt::format("{:13}HALT  {}\n{:13}halt +{} ms\n", "", reason, "", written_at - sent_at_) << std::flush;
}

void ObeyingAgent::show_obeyed(const std::string& by) {
  std::cout << fmt::format("{:13}agent obeyed +{} ms ({})\n", "", now_ms() - sent_at_, by) << std::flush;
}

void ObeyingAgent::watch_halts() {
  std::int64_t from = 0;
  while (!stop_ && !obeyed_) {
    for (const Json& record : next_records(url_, "halts", from)) {
      const Json& value = record["value"];
      if (!is_halt_of(task_, value) || obeyed_) continue;
      obeyed_ = true;  // from here on the task sends nothing
      show_halt(written_at(record), value.value("reason", ""));
      const Json ack{
          {"halt_id", value.value("halt_id", "")}, {"scope", value.value("scope", "")}, {"by", "demo agent"}};
      const auto reply =
          http_call("POST", url_ + "/v1/halt-acks", {{"content-type", "application/json"}}, dump(ack), 10s);
      show_obeyed(reply ? "the demo's own agent" : "not acknowledged: " + reply.error());
    }
  }
}

void ObeyingAgent::watch_acknowledgements() {
  std::int64_t halts_from = 0, acks_from = 0;
  while (!stop_ && !obeyed_) {
    for (const Json& record : next_records(url_, halted_ ? "halt-acks" : "halts", halted_ ? acks_from : halts_from)) {
      const Json& value = record["value"];
      if (!halted_ && is_halt_of(task_, value)) {
        show_halt(written_at(record), value.value("reason", ""));
      } else if (halted_ && value.is_object() && value.value("kind", "") == "halt_ack" &&
                 value.value("scope", "") == "task:" + task_) {
        obeyed_ = true;
        show_obeyed(value.value("by", ""));
      }
    }
  }
}

}  // namespace tocsin
