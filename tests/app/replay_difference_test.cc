#include "app/replay_difference.h"

#include "core/test_support.h"

namespace tocsin {
namespace replay_difference_test {

using namespace std::chrono_literals;
using test::at;

Episode episode(const std::string& alert, Duration fired, std::optional<Duration> resolved = std::nullopt,
                const std::string& agent = "a") {
  return {alert, {{"agent", agent}}, at(fired), resolved ? std::optional(at(*resolved)) : std::nullopt};
}

std::vector<std::string> told(const std::vector<Episode>& before, const std::vector<Episode>& after) {
  std::vector<std::string> list;
  for (const EpisodeDifference& one : differences(before, after)) {
    const Episode& named = one.kind == EpisodeDifference::Kind::added ? one.after : one.before;
    list.push_back(std::string(name_of(one.kind)) + " " + named.alert + " " + to_text(named.fired - at(0s)));
  }
  return list;
}
using Told = std::vector<std::string>;

TEST(ReplayDifference, TellsWhatIsNewGoneEarlierAndLater) {
  EXPECT_EQ(told({episode("A", 1h, 2h)}, {episode("A", 1h, 3h)}), Told{}) << "the same beginning";
  EXPECT_EQ(told({episode("A", 1h, 2h)}, {}), Told{"gone A 1h"});
  EXPECT_EQ(told({}, {episode("A", 1h, 2h)}), Told{"new A 1h"});
  EXPECT_EQ(told({episode("A", 2h, 3h)}, {episode("A", 90min, 3h)}), Told{"earlier A 2h"});
  EXPECT_EQ(told({episode("A", 2h, 3h)}, {episode("A", 130min, 3h)}), Told{"later A 2h"});
  EXPECT_EQ(told({episode("A", 1h, 2h)}, {episode("A", 1h, 2h, "b")}), (Told{"gone A 1h", "new A 1h"}))
      << "another agent's";
  EXPECT_EQ(told({episode("A", 1h, 90min)}, {episode("A", 5h)}), (Told{"gone A 1h", "new A 5h"})) << "too far apart";
  EXPECT_EQ(told({episode("A", 1h), episode("B", 2h)}, {episode("B", 3h, 4h), episode("A", 10h)}),
            (Told{"later A 1h", "later B 2h"}))
      << "an episode that lasts is one with what begins within it";
}

}  // namespace replay_difference_test
}  // namespace tocsin
