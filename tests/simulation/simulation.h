// One simulated deployment, from its first record to a checked end. A seed decides everything that is not given.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/safeguard.h"
#include "simulation/sim_cluster.h"
#include "simulation/traffic.h"
#include "simulation/watch.h"

namespace tocsin::sim {

// What may go wrong, and how often. All zero: nothing does.
struct Faults {
  Duration between_kills{};  // on average, over all processes; zero: never. So are the others
  Duration between_stops{};
  Duration between_restarts{};
  Duration between_broker_outages{};
  Duration between_coordinator_outages{};
  Duration between_machine_losses{};  // a broker and a process of ours stood on it
  Duration between_pager_moods{};
  Duration between_slow_commits{};
  Duration between_clock_steps{};
  Duration between_copies{};    // of a block, which the log makes by itself
  Duration between_reloads{};   // of rules that say the same in other words, and of one rule more
  double at_points = 0;         // how likely one of the places at which it hurts most is hit
  double trouble = 0;           // how likely a request is late
  Duration most_clock_error{};  // of each process's wall clock, either way
};

struct Plan {
  std::uint64_t seed = 1;
  int processes = 3;
  int threads = 1;
  SimCluster::Layout layout;
  bool is_static = false;  // processes have instance names
  Duration length{};       // of the telemetry
  bool is_odd = true;
  double leaks = 0.025;     // how likely a task has a credential in it
  Duration starts_after{};  // what comes before waits in the source
  std::function<void(Traffic&)> edit;
  Faults faults;
  Promise broken = Promise::none;
  std::optional<Safeguard> removed;
  bool traces = false;
};

// As the seed has it.
Plan plan_of(std::uint64_t seed);
// The same with faults in every seed, and many of them.
Plan hard_plan_of(std::uint64_t seed);

struct Outcome {
  std::string failure;    // empty: all held
  std::string invariant;  // the one that did not
  Coverage coverage;
};

class Simulation {
 public:
  explicit Simulation(Plan plan);
  ~Simulation();

  // For tests of single faults: does something at a time after the beginning. Call before run().
  void at(Duration after, std::function<void(Simulation&)> action);
  void on_point(std::function<void(Process&, const std::string& where)> hook);

  Outcome run();

  SimCluster& cluster();
  SimPager& pager();
  Watch& watch();
  Scheduler& scheduler();
  // The process that has this place now; null while it is down.
  ProcessPointer process(int place);
  void kill(int place);
  void stop(int place, Duration for_so_long);
  void start(int place);
  void end_orderly(int place);  // and it stays away
  void restart_orderly(int place, Duration after);
  // Who has this partition now.
  int owner(const std::string& group, TopicPartition of);
  const Plan& plan() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin::sim
