#include "core/stage/block_codec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/wire.h"
#include "core/test_support.h"

namespace tocsin {
namespace block_codec_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;

UrgentFinding full_finding() {
  UrgentFinding finding;
  finding.id = "f00d";
  finding.rule = 5;
  finding.group = GroupKey("prod\0support\0t1\0aws.access_key", 30);
  finding.pattern = "aws.access_key";
  finding.fingerprint = "0123456789abcdef";
  finding.place = "arguments";
  finding.correlation_id = "t1";
  finding.event_time = event_at(-3s);
  finding.at = at(4s);
  HaltRecord halt;
  halt.id = "aa";
  halt.scope = "task:t1";
  halt.state = HaltState::held;
  halt.rule = "SecretLeak";
  halt.reason = "why";
  halt.pattern = "aws.access_key";
  halt.fingerprint = "0123456789abcdef";
  halt.env = "prod";
  halt.agent = "support";
  halt.correlation_id = "t1";
  halt.count = UINT64_MAX;
  halt.first_at = event_at(1s);
  halt.last_at = event_at(2s);
  halt.expires_at = event_at(3s);
  finding.halt = halt;
  finding.is_repeat = true;
  finding.notice = Notice::source_not_keyed;
  finding.rotate = "Revoke it in the console.";
  finding.record = "partition 3, offset 77";
  return finding;
}

Block full_block() {
  Block block;
  block.partition = 63;
  block.grid = at(10s);
  block.rule_set = "0123456789abcdef";
  block.idle = true;
  block.records = 12'345;
  block.groups_over_cap = 2;
  Cell cell;
  cell.aggregate = 3;
  cell.group = GroupKey("prod\0support", 12);
  cell.totals = {-5'000'000'000, 77};
  cell.examples = {{"t1", 4}, {"t2", -1}};
  block.cells.push_back(cell);
  Cell exact = cell;
  for (std::uint64_t i = 1; i <= 20; ++i) exact.distinct.add(i * 0x9e3779b97f4a7c15ULL);
  block.cells.push_back(exact);
  block.cells.push_back(Cell{});
  block.sightings = {{GroupKey("prod\0support", 12), StringField::spec_version, "1.4"}};
  TaskNews news;
  news.kind = TaskNews::Kind::lost;
  news.rule = 6;
  news.group = GroupKey("prod\0support\0t9", 15);
  news.started = event_at(-1h);
  news.elapsed = 61min;
  news.limit = 1'200.5;
  news.wall_clock = std::nan("");
  news.outcome = Outcome::timed_out;
  TaskNews counted;
  counted.value = 8.5;
  counted.per = std::string("fetch\0m-1", 9);
  block.tasks = {news, counted};
  UrgentFinding plain;
  plain.id = "x";
  block.findings = {full_finding(), plain};
  block.past = {3, true, true, at(-26h), {{2, GroupKey("prod\0support", 12), "bytes"}, {}}};
  block.owes_past_of = 4;
  return block;
}

Block with_sketch() {
  Block block = full_block();
  for (std::uint64_t i = 1; i <= 1'000; ++i) block.cells[0].distinct.add(i * 0x9e3779b97f4a7c15ULL);
  return block;
}

TEST(BlockCodec, EveryFieldOfABlockComesBack) {
  const Block block = full_block();
  const auto back = decode_block(encode(block));
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(block));
  EXPECT_EQ(back->partition, 63);
  EXPECT_EQ(back->grid, at(10s));
  EXPECT_EQ(back->rule_set, block.rule_set);
  EXPECT_TRUE(back->idle);
  EXPECT_EQ(back->records, 12'345);
  EXPECT_EQ(back->groups_over_cap, 2);
  ASSERT_EQ(back->cells.size(), 3u);
  EXPECT_EQ(back->cells[0].group, block.cells[0].group);
  EXPECT_EQ(back->cells[0].totals, block.cells[0].totals);
  EXPECT_EQ(back->cells[0].examples[1].correlation_id, "t2");
  EXPECT_EQ(back->cells[0].examples[1].amount, -1);
  EXPECT_EQ(back->cells[1].distinct.count(), 20);
  EXPECT_EQ(back->sightings[0].field, StringField::spec_version);
  EXPECT_EQ(back->sightings[0].value, "1.4");
  EXPECT_EQ(back->tasks[0].kind, TaskNews::Kind::lost);
  EXPECT_EQ(back->tasks[0].elapsed, 61min);
  EXPECT_EQ(back->tasks[0].limit, 1'200.5);
  EXPECT_TRUE(std::isnan(back->tasks[0].wall_clock));
  EXPECT_EQ(back->tasks[0].outcome, Outcome::timed_out);
  EXPECT_EQ(back->tasks[0].per, "");
  EXPECT_EQ(back->tasks[1].value, 8.5);
  EXPECT_EQ(back->tasks[1].per, block.tasks[1].per);
  ASSERT_EQ(back->findings.size(), 2u);
  EXPECT_EQ(back->findings[0].halt->count, UINT64_MAX);
  EXPECT_FALSE(back->findings[1].halt);
  EXPECT_EQ(back->findings[0].rotate, "Revoke it in the console.");
  EXPECT_EQ(back->findings[0].record, "partition 3, offset 77");
  EXPECT_EQ(back->findings[1].record, "");
  EXPECT_EQ(back->past.epoch, 3);
  EXPECT_TRUE(back->past.is_first && back->past.is_last);
  EXPECT_EQ(back->past.since, at(-26h));
  ASSERT_EQ(back->past.series.size(), 2u);
  EXPECT_EQ(back->past.series[0].aggregate, 2u);
  EXPECT_EQ(back->past.series[0].state, "bytes");
  EXPECT_EQ(back->owes_past_of, 4);
}

TEST(BlockCodec, AnEmptyBlockIsABlockTooAndSmall) {
  Block block;
  block.partition = 1;
  block.grid = at(0s);
  block.rule_set = "0123456789abcdef";
  EXPECT_LT(encode(block).size(), 55u);
  EXPECT_EQ(decode_block(encode(block))->grid, at(0s));
}

TEST(BlockCodec, DistributionsComeBackBesideCellsThatHaveNone) {
  Block block = with_sketch();
  block.cells.resize(3);
  for (std::int64_t value = -500; value < 100'000; value += 7) block.cells[1].distribution.add(value);
  const auto back = decode_block(encode(block));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->cells[1].distribution, block.cells[1].distribution);
  EXPECT_TRUE(back->cells[0].distribution.empty() && back->cells[2].distribution.empty());
  // What is cut short is no block.
  const std::string bytes = encode(block);
  EXPECT_FALSE(decode_block(std::string_view(bytes).substr(0, bytes.size() - 1)));
}

TEST(BlockCodec, ASketchOfManyDifferentValuesComesBack) {
  const Block block = with_sketch();
  const auto back = decode_block(encode(block));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->cells[0].distinct.count(), block.cells[0].distinct.count());
  EXPECT_EQ(encode(*back), encode(block));
}

TEST(BlockCodec, ExtremesOfEveryNumberComeBack) {
  for (const std::int64_t value : {INT64_MIN, INT64_MIN + 1, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    Block block;
    Cell cell;
    cell.totals = {value, value};
    block.cells.push_back(cell);
    block.grid = RecordTime{Duration{value}};
    const auto back = decode_block(encode(block));
    ASSERT_TRUE(back) << value;
    EXPECT_EQ(back->cells[0].totals.sum, value);
    EXPECT_EQ(back->grid.since_epoch.count(), value);
  }
}

TEST(BlockCodec, AFindingComesBackWhole) {
  const UrgentFinding finding = full_finding();
  const auto back = decode_finding(encode(finding));
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(finding));
  EXPECT_EQ(back->group, finding.group);
  EXPECT_EQ(back->halt->state, HaltState::held);
  EXPECT_TRUE(back->is_repeat && back->notice == Notice::source_not_keyed);
}

TEST(BlockCodec, CutShortAtAnyByteNothingIsAccepted) {
  for (const std::string& bytes : {encode(full_block()), encode(with_sketch())}) {
    // Whole without its last sections it is a record of a release that had none.
    const std::set<std::size_t> whole = test::sizes_between_sections(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      if (whole.contains(size)) continue;
      ASSERT_FALSE(decode_block(std::string_view(bytes).substr(0, size))) << size << " of " << bytes.size();
    }
  }
  const std::string finding = encode(full_finding());
  const std::set<std::size_t> whole = test::sizes_between_sections(finding);
  EXPECT_EQ(whole.size(), 1U);
  for (std::size_t size = 0; size < finding.size(); ++size) {
    if (whole.contains(size)) continue;
    ASSERT_FALSE(decode_finding(std::string_view(finding).substr(0, size))) << size;
  }
}

TEST(BlockCodec, BytesAfterTheEndAndOtherVersionsAreRefused) {
  std::string bytes = encode(full_block());
  EXPECT_FALSE(decode_block(bytes + '\x05'));
  bytes[0] = 99;
  EXPECT_FALSE(decode_block(bytes));
  EXPECT_FALSE(decode_block(""));
}

TEST(BlockCodec, ALengthThatPromisesMoreThanThereIsAllocatesNothing) {
  // A version, then a partition, a grid time and a text of 2^63 bytes.
  const std::string bomb("\x02\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12);
  EXPECT_FALSE(decode_block(bomb));
  const std::string endless(64, '\xff');
  EXPECT_FALSE(decode_block("\x02" + endless));
}

TEST(BlockCodec, RandomBytesNeverCrash) {
  for (const std::uint64_t seed : test::seeds(20)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (int i = 0; i < 2'000; ++i) {
      std::string bytes(static_cast<std::size_t>(random.below(200)) + 1, '\0');
      for (char& c : bytes) c = static_cast<char>(random.bits());
      bytes[0] = 1;
      if (const auto block = decode_block(bytes)) encode(*block);
      if (const auto finding = decode_finding(bytes)) encode(*finding);
    }
  }
}

TEST(BlockCodec, AValidBlockWithBytesChangedIsRefusedOrAValidBlock) {
  const std::string valid = encode(full_block());
  for (const std::uint64_t seed : test::seeds(20)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (int i = 0; i < 2'000; ++i) {
      std::string bytes = valid;
      for (std::int64_t n = random.below(3) + 1; n > 0; --n) {
        bytes[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(bytes.size())))] =
            static_cast<char>(random.bits());
      }
      if (const auto block = decode_block(bytes)) {
        for (const TaskNews& news : block->tasks) EXPECT_LT(static_cast<int>(news.outcome), 6);
        for (const Sighting& sighting : block->sightings) {
          EXPECT_LT(static_cast<std::size_t>(sighting.field), string_field_count);
        }
        EXPECT_TRUE(decode_block(encode(*block)));
      }
    }
  }
}

}  // namespace block_codec_test
}  // namespace tocsin
