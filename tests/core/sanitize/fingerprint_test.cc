#include "core/sanitize/fingerprint.h"

#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace fingerprint_test {

TEST(Fingerprint, IsTheFirstEightBytesOfTheHmac) {
  // RFC 4231, test case 2.
  const std::string key = "Jefe";
  const Fingerprinter fingerprinter({reinterpret_cast<const unsigned char*>(key.data()), key.size()});
  EXPECT_EQ(fingerprinter.of("what do ya want for nothing?"), "5bdcc146bf60754e");
}

TEST(Fingerprint, DoesNotHangOnHowANumberIsWritten) {
  const unsigned char key[] = {7};
  const Fingerprinter fingerprinter(key);
  const auto fingerprint = [&](const std::string& text) {
    Scanner scanner(test::shipped_patterns());
    const auto matches = scanner.scan(text);
    return matches.size() == 1 ? fingerprinter.of(matches[0], scanner.library()) : "not one match";
  };
  EXPECT_EQ(fingerprint("4111 1111 1111 1111"), fingerprint("card: 4111111111111111"));
  EXPECT_EQ(fingerprint("Ann@X.org"), fingerprint("ann@x.org"));
  EXPECT_NE(fingerprint("ann@x.org"), fingerprint("bob@x.org"));
}

}  // namespace fingerprint_test
}  // namespace tocsin
