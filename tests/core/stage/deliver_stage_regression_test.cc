// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/stage/deliver_stage.h"

namespace tocsin {
namespace deliver_stage_regression_test {

using namespace std::chrono_literals;

TEST(DeliverStage, AReceiverThatIsGoneGetsNoneOfWhatWasPending) {
  DeliverStage stage({});
  stage.offer({1, "a", "a", "{}"}, 0s);
  stage.offer({2, "b", "b", "{}"}, 0s);
  stage.next(0s);
  DeliveryResult gone;
  gone.page_id = "a";
  gone.outcome = DeliveryOutcome::gone;
  stage.settle(gone, 0s);
  EXPECT_FALSE(stage.next(1h));
  EXPECT_EQ(stage.figures().parked, 2);
}

}  // namespace deliver_stage_regression_test
}  // namespace tocsin
