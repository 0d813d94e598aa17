// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/halt/halt_book.h"

namespace tocsin {
namespace halt_record_regression_test {

TEST(HaltRecord, ACountThatIsNoNumberThrowsNothing) {
  EXPECT_NO_THROW(halt_from_json(R"({"kind":"halt","halt_id":"a","scope":"task:1","count":"9"})"));
  HaltBook book;
  EXPECT_NO_THROW(book.apply("halt/task:1/a", R"({"kind":"halt","halt_id":"a","scope":"task:1","count":{}})"));
}

TEST(HaltRecord, ANegativeCountIsNotAHugeOne) {
  const auto halt = halt_from_json(R"({"kind":"halt","halt_id":"a","scope":"task:1","count":-1})");
  EXPECT_TRUE(!halt || halt->count < 1'000);
}

}  // namespace halt_record_regression_test
}  // namespace tocsin
