#include "edge/disk/attempt_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tocsin {
namespace attempt_file_test {

class AttemptFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "attempts-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<AttemptFile> open() const {
    auto file = AttemptFile::open(folder);
    return file ? std::move(file.value()) : nullptr;
  }

  // A process that is killed while it works on `offset`.
  void die_at(std::int64_t offset) const {
    const pid_t child = fork();
    if (child == 0) {
      const auto file = open();
      AttemptMark* const mark = file ? file->mark_of("runs", 1) : nullptr;
      if (mark == nullptr) _exit(1);
      for (std::int64_t done = 0; done < offset; ++done) {
        mark->begin(done);
        mark->end();
      }
      mark->begin(offset);
      raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  std::string folder;
};

TEST_F(AttemptFileTest, GivesUpARecordAfterThreeProcessesWereKilledAtIt) {
  for (int death = 1; death <= 3; ++death) {
    die_at(41);
    const auto file = open();
    ASSERT_NE(file, nullptr);
    const AttemptMark* const mark = file->mark_of("runs", 1);
    EXPECT_EQ(mark->deaths_at(41), death);
    EXPECT_EQ(mark->given_up_from(0), death < 3 ? AttemptMark::none : 41);
    EXPECT_EQ(file->mark_of("runs", 0)->given_up_from(0), AttemptMark::none);
  }
  // It stays given up until the position is past it, and no longer.
  const auto file = open();
  AttemptMark* const mark = file->mark_of("runs", 1);
  mark->note_committed(41);
  EXPECT_EQ(mark->given_up_from(0), 41);
  EXPECT_EQ(mark->given_up_from(42), AttemptMark::none);
  mark->note_committed(42);
  EXPECT_EQ(mark->given_up_from(0), AttemptMark::none);
}

TEST_F(AttemptFileTest, ARecordThatIsPassedOverStaysSoWhileTheNextOneKills) {
  for (const std::int64_t offset : {7, 7, 7, 9, 9, 9}) die_at(offset);
  const auto file = open();
  AttemptMark* const mark = file->mark_of("runs", 1);
  EXPECT_EQ(mark->given_up_from(0), 7);
  EXPECT_EQ(mark->given_up_from(8), 9);
}

TEST_F(AttemptFileTest, DeathsAtManyRecordsBlameNone) {
  for (std::int64_t offset = 0; offset < 40; ++offset) die_at(offset);
  const auto file = open();
  EXPECT_EQ(file->mark_of("runs", 1)->given_up_from(0), AttemptMark::none);
}

TEST_F(AttemptFileTest, LivingProcessesHaveFilesOfTheirOwn) {
  const auto one = open(), other = open();
  ASSERT_NE(one, nullptr);
  ASSERT_NE(other, nullptr);
  one->mark_of("runs", 0)->begin(5);
  one->mark_of("runs", 0)->note_death();
  EXPECT_EQ(one->mark_of("runs", 0)->deaths_at(5), 1);
  EXPECT_EQ(other->mark_of("runs", 0)->deaths_at(5), 0);
}

TEST_F(AttemptFileTest, AFileOfAnotherFormIsBegunAnew) {
  std::ofstream(folder + "/attempts.0") << std::string(100'000, 'x');
  const auto file = open();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->mark_of("runs", 0)->given_up_from(0), AttemptMark::none);
}

TEST_F(AttemptFileTest, SaysWhyThereIsNone) {
  const auto file = AttemptFile::open(folder + "/missing");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().find("No such file"), std::string::npos) << file.error();
}

}  // namespace attempt_file_test
}  // namespace tocsin
