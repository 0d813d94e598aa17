// Each safeguard is taken away, and the simulator must miss it: in production's own code by a switch, and what the
// cluster and its client promise by simulating one that does not keep it.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "simulation/simulation.h"

namespace tocsin::sim {
namespace safeguards_test {

using namespace std::chrono_literals;

constexpr std::uint64_t most_seeds = 1'000;

// `likely`: the seed that noticed it soonest when somebody last looked. It is tried first, and saves minutes.
void expect_that_it_is_missed(const std::string& name, std::uint64_t likely,
                              const std::function<void(Plan&)>& take_away) {
  for (std::uint64_t tried = 0; tried <= most_seeds; ++tried) {
    const std::uint64_t seed = tried == 0 ? likely : tried;
    Plan plan = hard_plan_of(seed);
    take_away(plan);
    const Outcome outcome = Simulation(plan).run();
    if (outcome.failure.empty()) continue;
    EXPECT_EQ(Simulation(hard_plan_of(seed)).run().failure, "") << "with all safeguards, seed " << seed;
    std::printf("without %s: seed %llu notices it, %s\n", name.c_str(), static_cast<unsigned long long>(seed),
                outcome.failure.c_str());
    testing::Test::RecordProperty("seed", static_cast<int>(seed));
    return;
  }
  ADD_FAILURE() << "nobody misses " << name << " in " << most_seeds << " seeds";
}

TEST(Safeguards, NoInvariantBreaksWithAllOfThem) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(Simulation(hard_plan_of(seed)).run().failure, "") << "seed " << seed;
  }
}

struct Switch {
  const char* name;
  Safeguard safeguard;
  std::uint64_t likely_seed = 1;  // as expect_that_it_is_missed() takes it
};

class SafeguardSwitch : public testing::TestWithParam<Switch> {};

TEST_P(SafeguardSwitch, IsMissed) {
  const Switch& one = GetParam();
  expect_that_it_is_missed(one.name, one.likely_seed, [&](Plan& plan) { plan.removed = one.safeguard; });
}

INSTANTIATE_TEST_SUITE_P(Safeguards, SafeguardSwitch,
                         testing::Values(Switch{"one_origin", Safeguard::one_origin},
                                         Switch{"drop_after_abort", Safeguard::drop_after_abort},
                                         Switch{"outside_sends_acknowledged", Safeguard::outside_sends_acknowledged,
                                                67},
                                         Switch{"halts_before_findings", Safeguard::halts_before_findings},
                                         Switch{"stamps_ahead_ignored", Safeguard::stamps_ahead_ignored, 8},
                                         Switch{"read_to_end_before_idle", Safeguard::read_to_end_before_idle},
                                         Switch{"deadlines_by_log_time", Safeguard::deadlines_by_log_time},
                                         Switch{"stable_halt_ids", Safeguard::stable_halt_ids},
                                         Switch{"first_block_wins", Safeguard::first_block_wins, 2},
                                         Switch{"every_partition_closed", Safeguard::every_partition_closed},
                                         Switch{"every_grid_evaluated", Safeguard::every_grid_evaluated},
                                         Switch{"episodes_stored", Safeguard::episodes_stored},
                                         Switch{"event_alerts_stored", Safeguard::event_alerts_stored},
                                         Switch{"delivered_before_position", Safeguard::delivered_before_position},
                                         Switch{"statuses_read", Safeguard::statuses_read, 2},
                                         Switch{"attempts_by_owner_only", Safeguard::attempts_by_owner_only, 83},
                                         Switch{"pasts_stay_owed", Safeguard::pasts_stay_owed, 10},
                                         Switch{"pasts_end_at_their_epoch", Safeguard::pasts_end_at_their_epoch, 10},
                                         Switch{"pasts_of_all", Safeguard::pasts_of_all, 10}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(PromiseOfTheCluster, RestoreReadsToTheHighWatermarkIsMissed) {
  expect_that_it_is_missed("the high watermark as the end of a restore", 40,
                           [](Plan& plan) { plan.broken = Promise::reads_to_high_watermark; });
}
TEST(PromiseOfTheCluster, FencingByGenerationIsMissed) {
  expect_that_it_is_missed("fencing by generation", 7,
                           [](Plan& plan) { plan.broken = Promise::fences_by_generation; });
}
TEST(PromiseOfTheCluster, PositionsInEachTransactionAreMissed) {
  expect_that_it_is_missed("positions in each transaction", 2,
                           [](Plan& plan) { plan.broken = Promise::positions_in_transaction; });
}

}  // namespace safeguards_test
}  // namespace tocsin::sim
