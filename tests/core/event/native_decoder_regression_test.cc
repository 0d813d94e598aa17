// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/event/native_decoder.h"

namespace tocsin {
namespace native_decoder_regression_test {

TEST(NativeDecoder, AFractionOfASecondIsKept) {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(R"({"type":"step","time":1767572204.953})");
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded.value()->fields.time->time_since_epoch().count(), 1'767'572'204'953);
}

TEST(NativeDecoder, AMalformedNumberIsNotOutOfRange) {
  NativeDecoder decoder;
  for (const char* json : {R"({"type":"step","tokens_in":01})", R"({"type":"step","tokens_in":1x})",
                           R"({"type":"step","tokens_in":1.})", R"({"type":"step","tokens_in":-})"}) {
    const auto decoded = decoder.decode(json);
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(name_of(decoded.error()), "not_json") << json;
  }
}

TEST(NativeDecoder, AHundredLevelsMayHoldSomething) {
  NativeDecoder decoder;
  const std::string json = R"({"type":"step","content":)" + std::string(99, '[') + "1" + std::string(99, ']') + "}";
  EXPECT_TRUE(decoder.decode(json).has_value());
}

}  // namespace native_decoder_regression_test
}  // namespace tocsin
