// Single faults, named as tests/faults.md lists them, each struck where it hurts most and held against the plain
// reading: the outcome that is expected is no difference, and what else each test says.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "simulation/simulation.h"

namespace tocsin::sim {
namespace faults_test {

using namespace std::chrono_literals;

// Nothing goes wrong by itself.
Plan calm_plan(std::uint64_t seed) {
  Plan plan;
  plan.seed = seed;
  plan.length = 60min;
  plan.is_odd = false;
  return plan;
}

constexpr std::uint64_t seeds = 6;

Outcome expect_the_plain_answer(const Plan& plan, const std::function<void(Simulation&)>& arrange = {}) {
  Simulation simulation(plan);
  if (arrange) arrange(simulation);
  Outcome outcome = simulation.run();
  EXPECT_EQ(outcome.failure, "") << "seed " << plan.seed;
  return outcome;
}

// At every `nth` time that a process comes to this place, from ten minutes on.
void strike_at(Simulation& simulation, const std::string& place, int nth,
               std::function<void(Simulation&, Process&)> action) {
  auto count = std::make_shared<int>(0);
  const Duration from = simulation.scheduler().now() + 10min;
  const Duration until = simulation.scheduler().now() + simulation.plan().length;
  simulation.on_point([&simulation, place, nth, count, from, until, action](Process& process, const std::string& at) {
    const Duration now = simulation.scheduler().now();
    if (at != place || now < from || now > until || ++*count % nth != 0) return;
    action(simulation, process);
  });
}

void kill_it(Simulation& simulation, Process& process) {
  simulation.kill(process.number);
}

TEST(Faults, NoneAtAllGivesThePlainAnswer) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = expect_the_plain_answer(calm_plan(seed));
    EXPECT_EQ(outcome.coverage.at("pages that arrived again"), 0);
  }
}

TEST(Faults, F02_KilledBetweenTheAcknowledgementOfABlockAndItsCommit) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = expect_the_plain_answer(
        calm_plan(seed), [](Simulation& simulation) { strike_at(simulation, "positions_added", 40, kill_it); });
    EXPECT_GT(outcome.coverage.at("kills"), 3);
    EXPECT_GT(outcome.coverage.at("transactions aborted"), 0);
  }
}

TEST(Faults, F03_KilledAfterThePagerTookAPageBeforeItsStatus) {
  std::int64_t again = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = expect_the_plain_answer(
        calm_plan(seed), [](Simulation& simulation) { strike_at(simulation, "page_answered", 2, kill_it); });
    again += outcome.coverage.at("pages that arrived again");
  }
  EXPECT_GT(again, 0);
}

TEST(Faults, F05_StoppedForAMinuteThenGoingOn) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = expect_the_plain_answer(calm_plan(seed), [](Simulation& simulation) {
      for (int i = 0; i < 12; ++i) {
        simulation.at(12min + i * 3min, [i](Simulation& now) { now.stop(i % now.plan().processes, 60s); });
      }
    });
    EXPECT_GE(outcome.coverage.at("stops"), 12);
  }
}

TEST(Faults, F06_StoppedJustBeforeTheCommitOfATransaction) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = expect_the_plain_answer(calm_plan(seed), [](Simulation& simulation) {
      strike_at(simulation, "positions_added", 50,
                [](Simulation& now, Process& process) { now.stop(process.number, 60s); });
    });
    EXPECT_GT(outcome.coverage.at("stops"), 3);
    EXPECT_GT(outcome.coverage.at("transactions aborted"), 0);
  }
}

TEST(Faults, F07_RestartedOneAfterTheOtherWithInstanceNames) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.is_static = true;
    std::int64_t before = -1, after = -2;
    const Outcome outcome = expect_the_plain_answer(plan, [&](Simulation& simulation) {
      simulation.at(14min, [&](Simulation& now) { before = now.cluster().rebalances; });
      for (int i = 0; i < 3; ++i) {
        simulation.at(15min + i * 2min, [i](Simulation& now) { now.restart_orderly(i, 1s); });
      }
      simulation.at(25min, [&](Simulation& now) { after = now.cluster().rebalances; });
    });
    EXPECT_EQ(after, before);
    EXPECT_EQ(outcome.coverage.at("orderly ends"), 3);
  }
}

TEST(Faults, F13_BrokersGoAwayEveryTenSeconds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    expect_the_plain_answer(calm_plan(seed), [](Simulation& simulation) {
      for (int i = 0; i < 120; ++i) {
        simulation.at(10min + i * 10s, [i](Simulation& now) { now.cluster().take_broker_down(i % 3, 4s); });
      }
    });
  }
}

TEST(Faults, F14_TheCoordinatorIsAwayForHalfAMinute) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    expect_the_plain_answer(calm_plan(seed), [](Simulation& simulation) {
      for (int i = 0; i < 8; ++i) {
        simulation.at(12min + i * 4min, [](Simulation& now) { now.cluster().take_coordinator_down(30s); });
      }
    });
  }
}

TEST(Faults, F19_ACommitThatComesTwentySecondsLate) {
  std::int64_t late = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = expect_the_plain_answer(calm_plan(seed), [](Simulation& simulation) {
      for (int i = 0; i < 8; ++i) {
        simulation.at(12min + i * 4min, [](Simulation& now) { now.cluster().commit_delay = 21s; });
        simulation.at(12min + i * 4min + 5s, [](Simulation& now) { now.cluster().commit_delay = 0s; });
      }
    });
    late += outcome.coverage.at("ends of transactions that came late");
  }
  EXPECT_GT(late, 0);
}

TEST(Faults, F20_AnOpenTransactionOfADeadOwnerAtTheRestore) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    // It dies when its records are written and nothing is decided; and stays away, so that others take over.
    const Outcome outcome = expect_the_plain_answer(
        calm_plan(seed), [](Simulation& simulation) { strike_at(simulation, "positions_added", 60, kill_it); });
    EXPECT_GT(outcome.coverage.at("transactions aborted"), 0);
  }
}

TEST(Faults, F30_WallClocksAreWrongAndJump) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.faults.between_clock_steps = 2min;
    plan.faults.most_clock_error = 20s;
    expect_the_plain_answer(plan);
  }
}

TEST(Faults, F31_TimesOfEventsThatCannotBe) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.is_odd = true;
    const Outcome outcome = expect_the_plain_answer(plan);
    EXPECT_GT(outcome.coverage.at("stamps ahead"), 0);
  }
}

TEST(Faults, F32_OnePartitionIsIdleForAnHour) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.length = 75min;
    plan.edit = [](Traffic& traffic) {
      std::erase_if(traffic.records, [&](const PlannedRecord& record) {
        return record.partition == 1 && record.arrives > traffic.records.front().arrives + 5min;
      });
    };
    const Outcome outcome = expect_the_plain_answer(plan);
    EXPECT_GT(outcome.coverage.at("slices closed by silence"), 300);
    EXPECT_GT(outcome.coverage.at("pages that arrived"), 0);
  }
}

TEST(Faults, F33_ABacklogWithDeadlinesInItIsReadInOneGo) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.length = 120min;
    plan.starts_after = 119min;
    expect_the_plain_answer(plan);
  }
}

TEST(Faults, F34_EventsThatComeNineMinutesAndTwoHoursLate) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.length = 150min;
    plan.edit = [](Traffic& traffic) {
      for (std::size_t i = 0; i < traffic.records.size(); ++i) {
        PlannedRecord& record = traffic.records[i];
        if (i % 50 == 7) record.arrives += 9min;
        if (i % 50 == 23 && record.arrives < traffic.records.front().arrives + 20min) record.arrives += 2h;
      }
      std::stable_sort(traffic.records.begin(), traffic.records.end(),
                       [](const auto& a, const auto& b) { return a.arrives < b.arrives; });
      std::erase_if(traffic.records, [&](const PlannedRecord& record) {
        return record.arrives > traffic.records.front().arrives + 149min;
      });
    };
    expect_the_plain_answer(plan);
  }
}

TEST(Faults, F35_AllMachinesAreSuspendedForTenMinutes) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    expect_the_plain_answer(calm_plan(seed), [](Simulation& simulation) {
      simulation.at(25min, [](Simulation& now) {
        for (int place = 0; place < now.plan().processes; ++place) now.stop(place, 10min);
      });
    });
  }
}

TEST(Faults, F48_EveryEventComesTwice) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.edit = [](Traffic& traffic) {
      const std::size_t count = traffic.records.size();
      for (std::size_t i = 0; i < count; ++i) {
        PlannedRecord again = traffic.records[i];
        again.arrives += Duration{static_cast<std::int64_t>(i % 7) * 3'000};
        traffic.records.push_back(std::move(again));
      }
      std::stable_sort(traffic.records.begin(), traffic.records.end(),
                       [](const auto& a, const auto& b) { return a.arrives < b.arrives; });
    };
    expect_the_plain_answer(plan, [](Simulation& simulation) { strike_at(simulation, "committed", 80, kill_it); });
  }
}

TEST(Faults, F49_TasksThatNeverOpenedEndBeforeTheyBeginOrBeginTwice) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = calm_plan(seed);
    plan.edit = [](Traffic& traffic) {
      std::vector<PlannedRecord> more;
      std::size_t number = 0;
      std::erase_if(traffic.records, [&](PlannedRecord& record) {
        const bool is_start = record.value.find("task.started") != std::string::npos;
        if (!is_start) return false;
        ++number;
        if (number % 5 == 1) return true;             // never opened
        if (number % 5 == 2) record.arrives += 4min;  // behind its end
        if (number % 5 == 3) {                        // twice, as two events
          PlannedRecord again = record;
          again.value.replace(again.value.find("\"event_id\":\"e"), 13, "\"event_id\":\"again");
          again.arrives += 20s;
          more.push_back(std::move(again));
        }
        return false;
      });
      traffic.records.insert(traffic.records.end(), more.begin(), more.end());
      std::stable_sort(traffic.records.begin(), traffic.records.end(),
                       [](const auto& a, const auto& b) { return a.arrives < b.arrives; });
    };
    expect_the_plain_answer(plan);
  }
}

}  // namespace faults_test
}  // namespace tocsin::sim
