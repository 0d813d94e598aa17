#include "core/sanitize/literal_gate.h"

#include <gtest/gtest.h>

#include <random>

namespace tocsin {
namespace {

using Instructions = LiteralGate::Instructions;

TEST(LiteralGate, AnswersAlikeWithEveryInstructionSet) {
  const std::vector<Keyword> keywords = {{"AKIA", false, {0}}, {"ghp_", false, {1}}, {"token", true, {3}}};
  std::mt19937 random(7);
  std::string text(64 * 40 + 3, ' ');
  for (char& c : text) c = static_cast<char>(random() % 256);
  text.replace(100, 4, "AKIA");
  text.replace(701, 5, "ToKeN");
  std::vector<std::vector<BlockMasks>> answers;
  for (const Instructions instructions : {Instructions::tables, Instructions::ssse3, Instructions::avx2}) {
    if (instructions > LiteralGate::best_instructions()) continue;
    const LiteralGate gate(keywords, instructions);
    std::vector<BlockMasks> masks(40);
    gate.classify(text.data(), masks.data(), masks.size());
    answers.push_back(masks);
  }
  for (const auto& answer : answers) {
    for (std::size_t i = 0; i < answer.size(); ++i) {
      EXPECT_EQ(answer[i].literal, answers[0][i].literal);
      EXPECT_EQ(answer[i].digit, answers[0][i].digit);
      EXPECT_EQ(answer[i].plus, answers[0][i].plus);
      EXPECT_EQ(answer[i].upper, answers[0][i].upper);
    }
  }
  EXPECT_NE(answers[0][1].literal & (std::uint64_t{1} << 36), 0U) << "AKIA at 100";
}

TEST(LiteralGate, FindsAKeywordOfAnyCaseByItsRarestBytes) {
  const LiteralGate gate({{"secret_access_key", true, {0}}, {"sk-", false, {1}}});
  const std::string text = "AWS_SECRET_ACCESS_KEY sk-" + std::string(128, ' ');
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < 64; ++at) {
    gate.for_each_keyword_at(text, at, Keyword::Where::anywhere,
                             [&](const Keyword&, std::size_t begin) { begins.push_back(begin); });
  }
  EXPECT_EQ(begins, (std::vector<std::size_t>{4, 22}));
}

}  // namespace
}  // namespace tocsin
