#include "core/sanitize/checks.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace checks_test {

TEST(Checks, CardNumbersNeedPrefixLengthAndCheckDigit) {
  EXPECT_TRUE(is_card_number("4111111111111111"));
  EXPECT_TRUE(is_card_number("378282246310005"));
  EXPECT_TRUE(is_card_number("5555555555554444"));
  EXPECT_FALSE(is_card_number("4111111111111112")) << "check digit";
  EXPECT_FALSE(is_card_number("1767572204953")) << "an epoch";
  EXPECT_FALSE(is_card_number("9111111111111111")) << "no issuer";
  EXPECT_FALSE(is_card_number("0000000000000000"));
}

TEST(Checks, IbansNeedTheirCountrysLengthAndRemainder) {
  EXPECT_TRUE(is_iban("DE89370400440532013000"));
  EXPECT_TRUE(is_iban("NO9386011117947"));
  EXPECT_FALSE(is_iban("DE8937040044053201300"));
  EXPECT_FALSE(is_iban("DE88370400440532013000"));
  EXPECT_FALSE(is_iban("QQ89370400440532013000"));
}

TEST(Checks, SocialSecurityNumbersThatWereNeverIssuedAreNone) {
  EXPECT_TRUE(is_ssn("219099999"));
  for (const char* never : {"000121234", "666121234", "900121234", "123001234", "123120000"})
    EXPECT_FALSE(is_ssn(never));
}

TEST(Checks, CallingCodes) {
  EXPECT_EQ(calling_code_length("14155550132"), 1);
  EXPECT_EQ(calling_code_length("442079460958"), 2);
  EXPECT_EQ(calling_code_length("353123456789"), 3);
  EXPECT_EQ(calling_code_length("0200"), 0);
}

TEST(Checks, JwtHeadersDecodeToJsonWithAnAlgorithm) {
  EXPECT_TRUE(is_jwt_header("eyJhbGciOiJIUzI1NiJ9"));
  EXPECT_FALSE(is_jwt_header("eyJzdWIiOiJhbm4ifQ"));
  EXPECT_FALSE(is_jwt_header("eyJ!"));
}

TEST(Checks, EntropyCountsBitsACharacter) {
  EXPECT_DOUBLE_EQ(entropy("aaaa"), 0);
  EXPECT_DOUBLE_EQ(entropy("abab"), 1);
  EXPECT_DOUBLE_EQ(entropy("abcd"), 2);
}

}  // namespace checks_test
}  // namespace tocsin
