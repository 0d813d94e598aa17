#include "core/sanitize/keyword_gate.h"

#include <gtest/gtest.h>

#include <random>

#include "core/sanitize/byte_masks.h"

namespace tocsin {
namespace keyword_gate_test {

TEST(ByteMasks, AreAlikeWithEveryInstructionSet) {
  constexpr std::size_t blocks = 400;
  std::mt19937 random(7);
  std::string text(ByteMasks::block_size * blocks, ' ');
  for (char& c : text) c = static_cast<char>(random() % 256);
  text.replace(640, 96, 96, 'a');
  std::vector<ByteMasks> fastest(blocks);
  std::vector<ByteMasks> plain(blocks);
  classify(text.data(), fastest.data(), blocks);
  classify_by_bytes(text.data(), plain.data(), blocks);
  EXPECT_EQ(fastest, plain);
  EXPECT_EQ(plain[10].solid, 3);
  EXPECT_EQ(plain[10].alnum, ~std::uint64_t{0});
}

std::vector<std::size_t> places_of(const KeywordGate& gate, std::string_view text) {
  KeywordGate::Search search = gate.search();
  std::vector<std::size_t> begins;
  for (const KeywordGate::Hit& hit : gate.find(text, search)) begins.push_back(hit.begin);
  return begins;
}

TEST(KeywordGate, FindsAKeywordOfAnyCase) {
  const KeywordGate gate({{"secret_access_key", true, {0}}, {"sk-", false, {1}}, {"ghp_", false, {2}}});
  EXPECT_EQ(places_of(gate, "AWS_SECRET_ACCESS_KEY sk- GHP_ SK- ghp_"), (std::vector<std::size_t>{4, 22, 35}));
}

TEST(KeywordGate, CountsInLongTokensWhatCountsThere) {
  const KeywordGate gate({{"keyish", false, {0}, Keyword::Where::in_long_token}});
  EXPECT_EQ(places_of(gate, "keyish 12345keyish 123456keyish keyish12345 keyish123456"),
            (std::vector<std::size_t>{25, 44}));
}

TEST(KeywordGate, LooksUpWhatBeginsATokenByItsFirstBytes) {
  const KeywordGate gate({{"abc", false, {0}, Keyword::Where::at_long_token_start},
                          {"abcd", true, {1}, Keyword::Where::at_long_token_start}});
  const auto found = [&](std::string_view text) {
    std::string all;
    gate.for_each_from(text, 0, [&](const Keyword& keyword, std::size_t) { all += keyword.text + " "; });
    return all;
  };
  EXPECT_EQ(found("ABCD"), "abcd ");
  EXPECT_EQ(found("abcx"), "abc ");
  EXPECT_EQ(found("ab"), "");
  EXPECT_TRUE(places_of(gate, "abcd").empty());
}

}  // namespace keyword_gate_test
}  // namespace tocsin
