#include "app/test_command.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tocsin {
namespace test_command_test {

struct Answer {
  int status = 0;
  std::string out, err;
};

class RuleTests : public testing::Test {
 protected:
  RuleTests() { std::filesystem::create_directories(folder_); }
  ~RuleTests() override { std::filesystem::remove_all(folder_); }

  Answer run(const std::string& text, const std::string& only = {}) {
    const std::string path = (folder_ / "own.yaml").string();
    std::ofstream(path) << text;
    TestOptions options;
    options.paths = {path};
    options.only = only;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Answer answer;
    answer.status = run_tests(options);
    answer.out = testing::internal::GetCapturedStdout();
    answer.err = testing::internal::GetCapturedStderr();
    for (std::size_t at = answer.out.find(path); at != std::string::npos; at = answer.out.find(path)) {
      answer.out.replace(at, path.size(), "own.yaml");
    }
    for (std::size_t at = answer.err.find(path); at != std::string::npos; at = answer.err.find(path)) {
      answer.err.replace(at, path.size(), "own.yaml");
    }
    return answer;
  }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("rule-tests-" + std::to_string(getpid()));
};

constexpr std::string_view rules = R"(
groups:
- name: g
  rules:
  - {alert: Many, from: step, group_by: [env, agent], value: count(), window: 5m, when: value >= 10, keep_firing_for: 1m}
)";

std::string with(const std::string& tests) {
  return std::string(rules) + "tests:\n" + tests;
}

TEST_F(RuleTests, PassWhereWhatIsExpectedComes) {
  const Answer answer = run(with(R"(
- name: ten steps in five minutes
  start: 2026-03-01T09:00:00+01:00
  input:
  - step agent=a every 10s for 2m
  - at 1h step agent=a every 1m for 10m
  expect:
  - {alert: Many, fires: 1m30s..1m50s, resolves: 6m..8m, labels: {agent: a}, value: 10, samples: 10}
  - {at: 5m, firing: [Many]}
  - {at: 5m, firing: [{alert: Many, labels: {env: prod}}]}
  - {at: 30m, firing: []}
  - {quiet: 1h..2h}
  - {pages: 1}
)"));
  EXPECT_EQ(answer.status, 0) << answer.out << answer.err;
  EXPECT_EQ(answer.out, "ok    own.yaml:8: ten steps in five minutes\n");
  EXPECT_EQ(answer.err, "1 passed, 0 failed, 22 events\n");
}

TEST_F(RuleTests, ARestartChangesNothing) {
  const std::string input = "- step agent=a every 10s for 2m\n";
  const std::string expect = "{alert: Many, fires: 1m40s, resolves: 6m..8m}, {pages: 1}";
  for (const std::string restart :
       {"", "- at 15s restart\n", "- at 1m35s restart\n  - at 1m41s restart\n", "- restart every 7s for 3m\n"}) {
    const Answer answer = run(with("- name: n\n  input:\n  " + input + (restart.empty() ? "" : "  " + restart) +
                                   "  expect: [" + expect + "]\n"));
    EXPECT_EQ(answer.status, 0) << restart << answer.out << answer.err;
  }
}

TEST_F(RuleTests, AFailureShowsWhatWasExpectedBesideWhatWasSeen) {
  const Answer answer = run(with(R"(
- name: too early
  input: [step agent=a every 10s for 2m]
  expect:
  - {alert: Many, fires: 1m, labels: {agent: a}}
  - {at: 3m, firing: []}
  - {quiet: true}
  - {pages: 0}
- name: never
  input: [step agent=a every 1m for 5m]
  expect: [{alert: Many, fires: 0..1h}, {halt: 'task:x'}, {alert: Man, fires: 1m}]
)"));
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.out.find("ok  "), std::string::npos);
  const std::string seen = "seen: Many fired at 1m40s: value 10, 10 samples (env=prod agent=a; condition holds)\n";
  EXPECT_NE(answer.out.find("  line 11: Many{agent=a} was to fire at 1m\n    " + seen), std::string::npos)
      << answer.out;
  EXPECT_NE(
      answer.out.find("  line 12: at 3m these alerts were to fire and no others\n    not expected:\n    " + seen),
      std::string::npos);
  EXPECT_NE(answer.out.find("  line 13: nothing was to fire\n"), std::string::npos);
  EXPECT_NE(answer.out.find("  line 14: 0 pages were expected, 1 were sent\n"), std::string::npos);
  EXPECT_NE(answer.out.find("Many was to fire at 0s..1h\n    seen: it never fired. Its groups at the end: 1 live"),
            std::string::npos)
      << answer.out;
  EXPECT_NE(answer.out.find("a halt of task:x was to go out\n    seen: no halt\n"), std::string::npos);
  EXPECT_NE(answer.out.find("there is no such alert among the rules of this test"), std::string::npos);
  EXPECT_EQ(answer.err, "0 passed, 2 failed, 17 events\n");
}

TEST_F(RuleTests, EveryMistakeHasItsPlace) {
  const Answer answer = run(with(R"(
- name: wrong
  input:
  - stepp agent=a
  - step agent=a every 10s
  - at 5x step agent=a
  - step agent
  expect:
  - {alert: Many}
  - {alert: Many, fires: 20m..10m}
  - {fire: Many}
- {name: nothing, input: [], expect: []}
)"));
  EXPECT_EQ(answer.status, 2);
  EXPECT_EQ(
      answer.err,
      "own.yaml:10:5: unknown-event: 'stepp' is no event (did you mean 'step'?)\n"
      "own.yaml:11:5: bad-input: `every D` and `for D` go together: step agent=a every 10s for 2h\n"
      "own.yaml:12:8: bad-duration: a time after the start is needed here, such as 90s, 2h or 1h30m, up to 31d\n"
      "own.yaml:13:10: bad-input: FIELD=VALUE, `every D` or `for D` is needed here, not 'agent'\n"
      "own.yaml:15:5: missing-key: a test's expectation needs 'fires'\n"
      "own.yaml:16:26: bad-range: a range runs from the earlier time to the later, as 10m..20m\n"
      "own.yaml:17:5: bad-expectation: one of 'alert' with 'fires', 'at' with 'firing', 'halt', 'pages' and "
      "'quiet' is needed here\n"
      "own.yaml:18:38: empty-test: a test without an expectation cannot fail; write {quiet: true} for silence\n");
}

TEST_F(RuleTests, SomeOfThemCanBeChosen) {
  const std::string tests =
      "- {name: one, input: [step agent=a], expect: [{quiet: true}]}\n- {name: two, input: [step agent=a], expect: "
      "[{pages: 1}]}\n";
  EXPECT_EQ(run(with(tests), "one").status, 0);
  EXPECT_EQ(run(with(tests), "two").status, 1);
  EXPECT_EQ(run(with(tests), "three").status, 2);
  EXPECT_EQ(run(std::string(rules)).status, 2) << "a file without tests is no test file";
}

}  // namespace test_command_test
}  // namespace tocsin
