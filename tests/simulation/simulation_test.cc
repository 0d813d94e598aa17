// Some hundred seeds, all faults: no invariant may break, and everything that the simulator is for must have
// happened.

#include "simulation/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tocsin::sim {
namespace simulation_test {

TEST(Simulation, ManyProcessesGiveOneAnswerWhateverFails) {
  std::uint64_t first = 1, last = 200;
  if (const char* one = std::getenv("TOCSIN_SEED")) first = last = std::strtoull(one, nullptr, 10);
  Coverage coverage;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const Outcome outcome = Simulation(plan_of(seed)).run();
    EXPECT_EQ(outcome.failure, "") << "seed " << seed << ", commit " << TOCSIN_COMMIT
                                   << "; build/release/tocsin_simulation --trace --seed " << seed;
    for (const auto& [name, count] : outcome.coverage) coverage[name] += count;
  }
  if (first == last) return;
  for (const char* name : {"ErrorRate fires",
                           "ErrorRate resolves",
                           "CostRise fires",
                           "CostRise resolves",
                           "ManyCalls fires",
                           "ManyCalls resolves",
                           "TaskOverrun fires",
                           "TaskOverrun resolves",
                           "SecretLeak fires",
                           "Refusal fires",
                           "halts",
                           "kills",
                           "stops",
                           "orderly ends",
                           "broker outages",
                           "coordinator outages",
                           "blocks copied",
                           "stamps ahead",
                           "slices closed by silence",
                           "producers fenced",
                           "transactions aborted",
                           "ends of transactions that came late",
                           "page attempts refused",
                           "page answers lost",
                           "pages that arrived again",
                           "faults at send",
                           "faults at start_commit",
                           "faults at positions_added",
                           "faults at committed",
                           "faults at restore",
                           "faults at assign",
                           "faults at attempt",
                           "faults at page_answered",
                           "faults at send_outside"}) {
    EXPECT_GT(coverage[name], 0) << name;
  }
}

TEST(Simulation, OneSeedIsOneSchedule) {
  const Coverage first = Simulation(plan_of(7)).run().coverage;
  EXPECT_EQ(first, Simulation(plan_of(7)).run().coverage);
}

}  // namespace simulation_test
}  // namespace tocsin::sim
