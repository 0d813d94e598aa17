// `receivers:` of the configuration: kinds, fallbacks, and that every mistake is found where it stands.

#include "app/receiver_config.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "app/config.h"
#include "app/receiver_factory.h"
#include "edge/clock/system_clock.h"

namespace tocsin {
namespace receiver_config_test {

using namespace std::chrono_literals;

class ReceiverConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TOCSIN_TEST_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
    setenv("TOCSIN_TEST_KEY", "0123456789abcdef0123456789ABCDEF", 1);
    setenv("TOCSIN_TEST_BAD_KEY", "a key in words", 1);
  }

  Config load(const std::string& receivers) {
    return load_config({"c.yaml", "receivers:\n" + receivers}, diagnostics_);
  }

  // The mistakes as "line: code".
  std::vector<std::string> mistakes(const std::string& receivers) {
    diagnostics_ = {};
    load(receivers);
    std::vector<std::string> all;
    for (const Diagnostic& one : diagnostics_.sorted()) {
      all.push_back(std::to_string(one.at.line) + ": " + one.code);
      EXPECT_EQ(one.message.find("a key in words"), std::string::npos) << one.message;
    }
    return all;
  }

  static std::string hook(const std::string& name, const std::string& rest = {}) {
    return "- {name: " + name + ", url: 'https://h.example/', secret_env: TOCSIN_TEST_SECRET" +
           (rest.empty() ? "" : ", " + rest) + "}\n";
  }

  Diagnostics diagnostics_;
};

using Mistakes = std::vector<std::string>;

TEST_F(ReceiverConfigTest, AReceiverIsAWebhookUnlessItSaysOtherwise) {
  const Config config = load(hook("a") + "- {name: b, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY}\n");
  ASSERT_FALSE(diagnostics_.has_errors());
  ASSERT_EQ(config.receivers.size(), 2u);
  EXPECT_EQ(config.receivers[0].kind, ReceiverKind::webhook);
  EXPECT_EQ(config.receivers[0].fallback_after, 5min);
  EXPECT_EQ(config.receivers[1].kind, ReceiverKind::pagerduty);
  EXPECT_EQ(config.receivers[1].routing_key, "0123456789abcdef0123456789ABCDEF");
  const SystemClock clock;
  for (const ReceiverConfig& receiver : config.receivers) EXPECT_TRUE(make_receiver(receiver, clock));
}

TEST_F(ReceiverConfigTest, AFallbackGetsNoPagesOfItsOwnUnlessItAsksForThem) {
  const Config config = load(hook("a", "fallback: b, fallback_after: 90s") +
                             hook("b", "fallback: c, also_direct: true") + hook("c") + hook("d"));
  ASSERT_FALSE(diagnostics_.has_errors());
  std::vector<std::string> chains;
  for (const auto& lanes : delivery_chains(config.receivers)) {
    std::string& text = chains.emplace_back();
    for (const DeliverLane& lane : lanes) text += lane.receiver;
  }
  EXPECT_EQ(chains, (std::vector<std::string>{"abc", "bc", "d"}));
  EXPECT_EQ(delivery_chains(config.receivers)[0][0].fallback_after, 90s);
}

TEST_F(ReceiverConfigTest, AFallbackIsAnotherReceiverAndGoesRoundInNoCircle) {
  EXPECT_EQ(mistakes(hook("a", "fallback: bb") + hook("b")), Mistakes{"2: unknown-receiver"});
  EXPECT_EQ(mistakes(hook("a", "fallback: a")), Mistakes{"2: fallback-circle"});
  EXPECT_EQ(mistakes(hook("x", "fallback: a") + hook("a", "fallback: b") + hook("b", "fallback: c") +
                     hook("c", "fallback: a")),
            Mistakes{"3: fallback-circle"})
      << "one circle, one report, at its first receiver";
  EXPECT_EQ(mistakes(hook("a", "fallback: b") + hook("b", "fallback: a") + hook("c", "fallback: d") +
                     hook("d", "fallback: c")),
            (Mistakes{"2: fallback-circle", "4: fallback-circle"}));
}

TEST_F(ReceiverConfigTest, KeysThatHaveNoEffectAreMistakes) {
  EXPECT_EQ(mistakes(hook("a", "fallback_after: 1m")), Mistakes{"2: no-fallback"});
  EXPECT_EQ(mistakes(hook("a", "also_direct: true")), Mistakes{"2: no-fallback"});
  EXPECT_EQ(
      mistakes("- {name: a, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, secret_env: TOCSIN_TEST_SECRET}\n"),
      Mistakes{"2: unknown-key"});
  EXPECT_EQ(mistakes(hook("a", "routing_key_env: TOCSIN_TEST_KEY")), Mistakes{"2: unknown-key"});
}

TEST_F(ReceiverConfigTest, EveryMistakeIsFoundAtOnce) {
  EXPECT_EQ(mistakes("- {name: a, kind: pager, url: 'https://h.example/', secret_env: TOCSIN_TEST_SECRET}\n"
                     "- {name: b, kind: pagerduty}\n"
                     "- {name: c, kind: pagerduty, routing_key_env: TOCSIN_TEST_BAD_KEY}\n"
                     "- {name: d, kind: pagerduty, routing_key_file: no/such/file}\n"
                     "- {name: e, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, url: 'http://h.example/'}\n"
                     "- {name: e, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, url: 'ftp://h'}\n" +
                     hook("f", "fallback: a, fallback_after: 0s")),
            (Mistakes{"2: unknown-word", "3: missing-key", "4: bad-secret", "5: unreadable", "6: bad-url",
                      "7: repeated-name", "7: bad-url", "8: out-of-range"}));
}

TEST_F(ReceiverConfigTest, AProxyOfOnesOwnMayBeReachedInClear) {
  EXPECT_EQ(mistakes("- {name: a, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, url: 'http://10.1.2.3/', "
                     "allow_cidrs: [10.1.2.3]}\n"),
            Mistakes{});
}

}  // namespace receiver_config_test
}  // namespace tocsin
