// The agent's side of a halt, for the demo: it watches the halt topic for its task, stops, and acknowledges.
//
// What deploy/obey.py does in an agent's process, this does on a thread; with a command it runs that instead and
// shows what it prints.

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace tocsin {

class ObeyingAgent {
 public:
  // `command`: run as `COMMAND --url URL --task TASK`; empty: the built-in agent.
  ObeyingAgent(std::string url, std::string task, std::string command);
  ~ObeyingAgent();

  bool has_obeyed() const { return obeyed_; }

  // That an event of the task is about to be sent: what the times shown are counted from.
  void note_sending();
  void stop();

 private:
  void watch_halts();
  void show_halt(std::int64_t written_at, const std::string& reason);
  void show_obeyed(const std::string& by);
  void watch_acknowledgements();
  void start_command(const std::string& command);

  std::string url_;
  std::string task_;
  std::atomic<bool> obeyed_{false};
  std::atomic<bool> halted_{false};
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> sent_at_{0};  // milliseconds since the epoch, of the last event that was sent
  std::thread watcher_;
  int child_ = -1;
};

}  // namespace tocsin
