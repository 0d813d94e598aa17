// Secrets that stand in a text in another form: base64, percent-encoding, the escapes of a JSON text within a text,
// and the vendor's name apart from the value.

#include <gtest/gtest.h>

#include <set>

#include "core/sanitize/fingerprint.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/sanitize/shortest_match.h"

namespace tocsin {
namespace hidden_text_test {

using test::aws_key;
using test::found_in;

std::string base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += digits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) out += digits[(bits << (6 - count)) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

// The ids alone.
std::vector<std::string> ids_in(const std::string& text) {
  std::vector<std::string> ids;
  for (const std::string& found : found_in(text)) ids.push_back(found.substr(0, found.find(':')));
  return ids;
}
using Ids = std::vector<std::string>;

TEST(HiddenText, IsFoundInBase64WhereverItBeginsInTheRun) {
  for (const std::string before : {"k=", "the key ", "a key: "}) {
    const std::string text = "blob " + base64(before + aws_key + " and what follows it in the text") + " end";
    EXPECT_EQ(ids_in(text), Ids{"aws.access_key"}) << before;
  }
}

TEST(HiddenText, HasTheFingerprintOfThePlainSecret) {
  Scanner scanner(test::shipped_patterns());
  const Fingerprinter fingerprinter({FingerprintKey{"k1", "a key of some bytes"}});
  std::vector<std::string> fingerprints;
  for (const std::string& text : {"id " + aws_key, base64("an id, " + aws_key + ", in base64"),
                                  "https://x.org/?k=AKIA%4F" + aws_key.substr(5) + "&b=2",
                                  R"({\"k\":\"AKIA\\u004f)" + aws_key.substr(5) + R"(\"})"}) {
    const auto matches = scanner.scan(text);
    ASSERT_EQ(matches.size(), 1U) << text;
    fingerprints.push_back(fingerprinter.of(matches[0], scanner.library()));
  }
  EXPECT_EQ(std::set<std::string>(fingerprints.begin(), fingerprints.end()).size(), 1U);
}

TEST(HiddenText, IsRedactedAndTheRestStaysAsItIs) {
  Scanner scanner(test::shipped_patterns());
  const Fingerprinter fingerprinter({FingerprintKey{"k1", "a key of some bytes"}});
  const std::string text = "https://x.org/?k=AKIA%4F" + aws_key.substr(5) + "&b=2";
  const std::string once = redact(text, scanner, fingerprinter);
  EXPECT_EQ(once.find(aws_key.substr(5)), std::string::npos);
  EXPECT_EQ(once.substr(0, 17), "https://x.org/?k=");
  EXPECT_EQ(once.substr(once.size() - 4), "&b=2");
  EXPECT_NE(once.find("[aws.access_key:k1:"), std::string::npos) << once;
  EXPECT_EQ(redact(once, scanner, fingerprinter), once);
}

TEST(HiddenText, RandomBase64AndHashesHideNothing) {
  EXPECT_EQ(ids_in("sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), Ids{});
  EXPECT_EQ(
      ids_in("png iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
      Ids{});
}

TEST(HiddenText, ABase64RunAsLongAsTheTextCostsWhatItCosts) {
  std::string run;
  while (run.size() < 1 << 20) run += base64("some text that is printable, again and again, with no secret in it");
  Scanner scanner(test::shipped_patterns());
  EXPECT_TRUE(scanner.scan(run).empty());
}

TEST(HiddenText, InTheMiddleOfAnImageNothingIsAKey) {
  const std::string key = std::string("YC") + "OFM5eToKEVBNP07BT20FJI78EzR3sqwfZZ6tny";
  const std::string before = "iVBORw0KGgoF3KvhorW2gMd0hf83jsP2MB", after = "hyi1z38qMj5Ja7yVdtzRM4a/mHKxo";
  EXPECT_EQ(ids_in("key " + key + " of it"), Ids{"yandex.static_key"});
  EXPECT_EQ(ids_in("data:image/png;base64," + before + "+" + key + "+" + after), Ids{});
  EXPECT_EQ(ids_in("https://example.com/a/path/that/is/rather/long/for/a/path/" + key + "/more/of/it"),
            Ids{"yandex.static_key"});
  EXPECT_EQ(ids_in("q=my+" + key + "+please"), Ids{"yandex.static_key"});
}

TEST(NamedSecret, IsKnownByItsVendorsNameBeforeIt) {
  const std::string value = std::string("yILA98MzEdxuVdZ7") + "JzXB51Dd6Vc5SYBE";
  EXPECT_EQ(ids_in("APILAYER_API_KEY=" + value), Ids{"apilayer.key"});
  EXPECT_EQ(ids_in("{\"apilayer\": {\"key\": \"" + value + "\"}}"), Ids{"apilayer.key"});
  EXPECT_EQ(ids_in(std::string("apilayer_access_key") + '\0' + value), Ids{"apilayer.key"}) << "name and value apart";
  EXPECT_EQ(ids_in("apilayer_api_key=" + value.substr(1)), Ids{"generic.secret"}) << "not the vendor's length";
  EXPECT_EQ(ids_in("apilayer key code " + value), Ids{"apilayer.key"});
  for (const char* type :
       {"apilayerKey string = \"", "apilayer_key: &'static str = \"", "apilayerKey: String = \""}) {
    EXPECT_EQ(ids_in(type + value + '"'), Ids{"apilayer.key"}) << type;
  }
  EXPECT_EQ(ids_in("<add key=\"ApilayerKey\" value=\"" + value + "\" />"), Ids{"apilayer.key"});
  EXPECT_EQ(ids_in("apilayer build " + value), Ids{}) << "nothing says that it is a key";
}

TEST(TypedRun, IsNoReasonToHalt) {
  Scanner scanner(test::shipped_patterns());
  const std::string random = std::string("ghp_") + "Ky9Pf34qY6Nb3wW" + "D25RQ4F5ZR3qa7y" + "3gm1IL";
  const auto matches = scanner.scan(random);
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_EQ(matches[0].tier, Tier::halt);
  const std::string typed = std::string("glpat-") + "abcdef" + "1234567890" + "WxYz";
  const auto found = scanner.scan(typed);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(scanner.library().patterns()[found[0].pattern].tier, Tier::halt);
  EXPECT_EQ(found[0].tier, Tier::page);
}

TEST(ShortestMatch, IsALowerBoundThatKnowsTheUsualForms) {
  EXPECT_EQ(shortest_match("abc"), 3U);
  EXPECT_EQ(shortest_match("ghp_[A-Za-z0-9]{36}"), 40U);
  EXPECT_EQ(shortest_match("(?:ab|c)d?e+[]x]{2,5}"), 4U);
  EXPECT_EQ(shortest_match(R"((?i)a\.b\x2d(?P<n>[^\]]{3}|xx)$)"), 6U);
  EXPECT_EQ(shortest_match("a|"), 0U);
  EXPECT_EQ(shortest_match("[[:alnum:]]{4}x*?"), 4U);
}

TEST(ShortestMatch, OfGroupsThoseThatCaptureAreCounted) {
  EXPECT_EQ(count_groups(R"(a\(b[(]c[])(]d)"), 0);
  EXPECT_EQ(count_groups("(?:a|b)(?i)(?i:c)"), 0);
  EXPECT_EQ(count_groups("k(?:e(y)){2}"), 1);
  EXPECT_EQ(count_groups("(?P<secret>a)(b|(c))"), 3);
}

}  // namespace hidden_text_test
}  // namespace tocsin
