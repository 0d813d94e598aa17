#include "core/sanitize/scanner.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "core/sanitize/checks.h"
#include "core/sanitize/matcher.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace scanner_test {

using namespace test;  // NOLINT: the helpers of this folder's tests
using namespace std::string_literals;

const unsigned char test_key[] = {1, 2, 3, 4};

std::string redacted(const std::string& text) {
  Scanner scanner(test::shipped_patterns());
  return redact(text, scanner, Fingerprinter(test_key));
}

TEST(Scanner, FindsAKeyWhereverItStandsInTheBuffer) {
  // Every offset, so that block and chunk edges and the padded tail are all crossed.
  Scanner scanner(test::shipped_patterns());
  for (std::size_t before = 0; before < 1200; ++before) {
    for (const std::size_t after : {0, 1, 70}) {
      const std::string text = std::string(before, ' ') + github_token + std::string(after, ' ');
      const auto matches = scanner.scan(text);
      ASSERT_EQ(matches.size(), 1U) << before << " before, " << after << " after";
      EXPECT_EQ(matches[0].begin, before);
      EXPECT_EQ(matches[0].end, before + github_token.size());
    }
  }
}

TEST(Scanner, FindsPersonalDataWhereverItStandsInTheBuffer) {
  for (const std::string text : {"ann@x.org", "4111 1111 1111 1111", "219-09-9999", "GB82WEST12345698765432",
                                 "+44 20 7946 0958", "(415) 555-0132"}) {
    Scanner scanner(test::shipped_patterns());
    for (std::size_t before = 0; before < 200; ++before) {
      const auto matches = scanner.scan(std::string(before, ' ') + text + ";");
      ASSERT_EQ(matches.size(), 1U) << text << " after " << before;
      EXPECT_EQ(matches[0].begin, before);
      EXPECT_EQ(matches[0].end, before + text.size());
    }
  }
}

// What lets ids pass without a scan (EventSanitizer).
TEST(Scanner, FindsNothingInIdsThatHoldNoKeyword) {
  Scanner scanner(test::shipped_patterns());
  std::mt19937 random(11);
  std::size_t tried = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string_view digits = i % 2 == 0 ? "0123456789abcdef" : "11223344556677889900a";
    std::string id(i % 3 == 0 ? 16 : 32, '0');
    for (char& c : id) c = digits[random() % digits.size()];
    if (i % 3 == 2) {
      for (const std::size_t at : {8, 13, 18, 23}) id.insert(at, 1, '-');
    }
    if (!is_plain_id(id) || scanner.library().matcher().has_keyword_in_id(id)) continue;
    ++tried;
    ASSERT_TRUE(scanner.scan(id).empty()) << id;
  }
  EXPECT_GT(tried, 40'000U);
  EXPECT_TRUE(scanner.library().matcher().has_keyword_in_id("aad3b435b51404eeaad3b435b51404ee"));
  EXPECT_FALSE(is_plain_id("4111111111111111")) << "a card's number, not an id";
  EXPECT_FALSE(is_plain_id("4111-111111111111"));
}

// Found by the fuzzer: it read on behind the text.
TEST(Scanner, ANameThatGoesOnToTheEndHasNoValueBehindIt) {
  for (const std::string name : {"algolia api_key", "algolia token"}) {
    const std::string text = name + std::string(100, '-');
    const std::unique_ptr<char[]> exact(new char[text.size()]);
    std::copy(text.begin(), text.end(), exact.get());
    Scanner scanner(test::shipped_patterns());
    EXPECT_TRUE(scanner.scan({exact.get(), text.size()}).empty());
  }
}

TEST(Scanner, DoesNotFindATokenInsideALongerRun) {
  EXPECT_EQ(found_in("x" + aws_key), Found{});
  EXPECT_EQ(found_in(aws_key + "x"), Found{});
  EXPECT_EQ(found_in("blob" + github_token + "9"), Found{});
}

TEST(Scanner, FindsATokenBehindAnEscapeOfATextInsideAText) {
  for (const std::string escape : {"\\n", "\\\\n", "\\u003d", "%3D", "\\x3d", "\\\"", "\\t"}) {
    EXPECT_EQ(found_in("a" + escape + aws_key + escape), Found{"aws.access_key:" + aws_key}) << escape;
  }
}

TEST(Scanner, FindsATokenInTheColoursOfATerminal) {
  for (const std::string colour :
       {"\x1b[33m", "\x1b[1;33m", "\x1b[38;5;208m", "\\u001b[33m", "\\x1b[0m", "\\033[33m", "[33m"}) {
    const std::string end = "\x1b[0m";
    EXPECT_EQ(found_in("key " + colour + github_token + end), Found{"github.token:" + github_token}) << colour;
    EXPECT_EQ(found_in(colour + "secretAccessKey" + end + "=" + colour + aws_secret + end),
              Found{"aws.secret_access_key:" + aws_secret})
        << colour;
  }
  EXPECT_EQ(found_in("a[33m" + std::string("x") + github_token), Found{});
  EXPECT_EQ(found_in("33m" + github_token), Found{}) << "a word, and no colour";
  EXPECT_EQ(found_in("\x1b[m" + github_token + "\x1b[K"), Found{"github.token:" + github_token});
  EXPECT_EQ(found_in("\x1b[36mpassword:\x1b[0m hunter22"), Found{"generic.password:hunter22"});
}

TEST(Scanner, FindsAValueThatStandsBesideItsName) {
  const Found secret{"aws.secret_access_key:" + aws_secret};
  EXPECT_EQ(found_in("{\"name\": \"AWS_SECRET_ACCESS_KEY\", \"value\": \"" + aws_secret + "\"}"), secret);
  EXPECT_EQ(found_in("{\\\"name\\\":\\\"AWS_SECRET_ACCESS_KEY\\\",\\\"value\\\":\\\"" + aws_secret + "\\\"}"),
            secret);
  EXPECT_EQ(found_in("- name: AWS_SECRET_ACCESS_KEY\n  value: " + aws_secret), secret);
  EXPECT_EQ(found_in("<SecretAccessKey>" + aws_secret + "</SecretAccessKey>"), secret);
  EXPECT_EQ(found_in("{\"key\":\"AWS_SECRET_ACCESS_KEY\",\"value\":{\"stringValue\":\"" + aws_secret + "\"}}"),
            secret);
  EXPECT_EQ(found_in("key\0AWS_SECRET_ACCESS_KEY\0value\0stringValue\0"s + aws_secret), secret);
  EXPECT_EQ(found_in("AWS_SECRET_ACCESS_KEY\0values\0"s + aws_secret), Found{});
  EXPECT_EQ(found_in("{\"key\":\"app.uses_password\",\"value\":{\"boolValue\":true}}"), Found{});
  EXPECT_EQ(found_in("postgres://<user>:<password>@localhost:5432/db"), Found{});
  EXPECT_EQ(found_in("psql --password --host=localhost"), Found{});
}

TEST(Scanner, TheIdInASignedRequestIsNoSecret) {
  EXPECT_EQ(found_in("?X-Amz-Signer=" + aws_key + "%2F20260501%2Feu-west-1%2Fs3"), Found{});
  EXPECT_EQ(found_in("AWS4-HMAC-SHA256 " + aws_key + "/20260501/us-east-1/s3"), Found{});
  Scanner scanner(test::shipped_patterns());
  const auto matches = scanner.scan("Credential=" + aws_key + "/20260501/us-east-1/s3");
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_EQ(matches[0].tier, Tier::count) << "what is called a credential";
  EXPECT_EQ(found_in(aws_key + "/2026/report"), Found{"aws.access_key:" + aws_key});
  EXPECT_EQ(found_in(aws_key + "/2026050112345"), Found{"aws.access_key:" + aws_key});
}

TEST(Scanner, APrivateKeyThatIsOnlySpokenOfIsNone) {
  const std::string begin = "-----BEGIN OPENSSH " + std::string("PRIVATE KEY-----");
  EXPECT_EQ(found_in("if \"" + begin + "\" in line: raise X\nssh-rsa " + key_body), Found{});
  EXPECT_EQ(found_in(begin + "\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\n...\n"), Found{});
  EXPECT_EQ(found_in("     1\t" + begin + "\n     2\t" + key_body + "\n     3\t" + key_body).size(), 1U);
}

TEST(Scanner, TakesAKeyPairForOneFinding) {
  const std::string text = "accessKeyId\0"s + aws_key + "\0region\0eu-west-1\0secretAccessKey\0"s + aws_secret;
  Scanner scanner(test::shipped_patterns());
  const auto matches = scanner.scan(text);
  ASSERT_EQ(matches.size(), 2U);
  EXPECT_EQ(matches[0].part_of, Match::whole);
  EXPECT_EQ(matches[1].part_of, 0U);
  const Fingerprinter fingerprinter(test_key);
  EXPECT_EQ(fingerprinter.of(matches[0], scanner.library()), fingerprinter.of(matches[1], scanner.library()));
  EXPECT_EQ(redacted(text).find(aws_secret), std::string::npos);
}

TEST(Scanner, FindsTheSecondHalfBesideTheFirstWithoutAName) {
  EXPECT_EQ(found_in(aws_key + "," + aws_secret),
            (Found{"aws.access_key:" + aws_key, "aws.secret_access_key:" + aws_secret}));
  EXPECT_EQ(found_in(aws_secret + "\\n" + aws_key),
            (Found{"aws.secret_access_key:" + aws_secret, "aws.access_key:" + aws_key}));
  EXPECT_EQ(found_in("x " + aws_secret), Found{})
      << "without a key id or a name, 40 characters are any 40 characters";
}

TEST(Scanner, FindsAPrivateKeyHoweverItsLineEndsAreWritten) {
  const Fingerprinter fingerprinter(test_key);
  std::vector<std::string> fingerprints;
  for (const std::string line_end : {"\n", "\r\n", "\\n", "\\r\\n", "\\\\n"}) {
    const std::string text = "key: \"" + private_key(line_end) + "\" end";
    Scanner scanner(test::shipped_patterns());
    const auto matches = scanner.scan(text);
    ASSERT_EQ(matches.size(), 1U) << line_end;
    EXPECT_EQ(matches[0].begin, 6U);
    EXPECT_EQ(matches[0].end, text.size() - 5);
    fingerprints.push_back(fingerprinter.of(matches[0], scanner.library()));
  }
  for (const std::string& fingerprint : fingerprints) EXPECT_EQ(fingerprint, fingerprints[0]);
}

TEST(Scanner, FindsAPrivateKeyThatBreaksOff) {
  const std::string whole = private_key("\n");
  const std::string cut = whole.substr(0, whole.size() - 60);
  const auto found = found_in(cut);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], "pem.private_key:" + cut);
}

TEST(Scanner, NeverMatchesAcrossStringsExceptFromANameToItsValue) {
  EXPECT_EQ(found_in("ann\0@x.org"s), Found{});
  EXPECT_EQ(found_in("4111 1111\0 1111 1111"s), Found{});
  EXPECT_EQ(found_in("AKIA\0ODZDOCIS2JHTLGMX"s), Found{});
  EXPECT_EQ(found_in("db_password\0hunter22"s), Found{"generic.password:hunter22"});
  EXPECT_EQ(found_in("I lost my password\0hunter22"s), Found{}) << "the end of a sentence is no name";
}

TEST(Scanner, ReadsJsonInsideAString) {
  EXPECT_EQ(found_in(R"({\"email\": \"ann@x.org\", \"card\": \"4111111111111111\"})"),
            (Found{"pii.email:ann@x.org", "pii.card:4111111111111111"}));
  EXPECT_EQ(found_in(R"(a\nann@x.org\nb)"), Found{"pii.email:ann@x.org"});
}

TEST(Scanner, LeavesTheNumbersOfTelemetryAlone) {
  const std::string text =
      "tokens_in\0001746\0max_tokens\0004096\0llm.token_count\0001234567890123456\0time\0002026-01-05T00:16:44."
      "953977Z\0"
      "start_ns\0001767572204953977000\0ms\0001767572204953\0id\00086eef3b3c099d0d2edc2751c335def2d\0"
      "trace_id\0004111111111111111\0cost\0000.4111111111111111\0uuid\000ff083f76-7804-4111-1111-111111111111\0"
      "order\000100-200-3000\0range\0001000-2000\0amount\000$4111 1111\0zone\0002026-01-05 00:16:44 +0200\0"
      "next_page_token\000jNEVvuVP1A0yVhSPJk9QMOK7rL0KmLrP\0ip\000192.168.100.200\0version\0002.3.0-rc.1+20260105"s;
  EXPECT_EQ(found_in(text), Found{});
}

TEST(Scanner, PrefersTheGraverTierForTheSameBytes) {
  EXPECT_EQ(found_in("token=" + github_token), Found{"github.token:" + github_token});
  EXPECT_EQ(found_in("password\0"s + aws_key), Found{"aws.access_key:" + aws_key});
}

TEST(Scanner, SaysWhereItRanOutOfItsBudget) {
  std::string soup;
  while (soup.size() < 1 << 20) soup += "ghp_ AKIA sk-ant- xoxb-1 password= secret: token=a -----BEGIN ";
  Scanner scanner(test::shipped_patterns());
  scanner.scan(soup);
  EXPECT_TRUE(scanner.last_scan_was_cut());
  ASSERT_TRUE(scanner.cut_at());
  EXPECT_LT(*scanner.cut_at(), soup.size());
  scanner.scan("clean");
  EXPECT_FALSE(scanner.last_scan_was_cut());
}

TEST(Scanner, FindsAKeyBehindAFloodOfAddressesAndNumbers) {
  std::string flood;
  while (flood.size() < 1 << 20) flood += "a@b.co 219-09-9999 4111 1111 1111 1111 password=hunter22 ";
  const std::string text = flood + github_token;
  Scanner scanner(test::shipped_patterns());
  const auto matches = scanner.scan(text);
  ASSERT_FALSE(matches.empty());
  EXPECT_EQ(matches.back().begin, flood.size());
}

TEST(Redaction, LabelsEachFindAndScansCleanAfterwards) {
  const std::string once =
      redacted("mail ann@x.org, card 4111 1111 1111 1111, key " + aws_key + ", password=hunter22");
  EXPECT_EQ(once.find("ann@x.org"), std::string::npos);
  EXPECT_NE(once.find("mail [email:"), std::string::npos);
  EXPECT_NE(once.find("key [aws.access_key:"), std::string::npos);
  EXPECT_EQ(found_in(once), Found{});
  EXPECT_EQ(redacted(once), once);
}

TEST(Redaction, IsIdempotentOnRandomMixtures) {
  const std::vector<std::string> parts = {"ann@x.org",
                                          "4111 1111 1111 1111",
                                          "219-09-9999",
                                          aws_key,
                                          aws_secret,
                                          github_token,
                                          "password",
                                          "secret",
                                          "token",
                                          "=",
                                          ": ",
                                          "\"",
                                          "\\\"",
                                          "\0"s,
                                          " ",
                                          ",",
                                          "hunter22",
                                          "+44 20 7946 0958",
                                          "415-555-0132",
                                          "a",
                                          "7",
                                          "-",
                                          "\\n",
                                          "DE89 3704 0044 0532 0130 00",
                                          "Bearer ",
                                          "@",
                                          ".",
                                          private_key("\n")};
  const unsigned seed = 20260105;
  std::mt19937 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t count = 2 + random() % 8; count > 0; --count) text += parts[random() % parts.size()];
    const std::string once = redacted(text);
    ASSERT_EQ(found_in(once), Found{}) << "seed " << seed << ", round " << round << ": " << text << " -> " << once;
  }
}

TEST(Scanner, FindsNothingGraveInRecordedRuns) {
  const std::filesystem::path path = std::filesystem::path(PROJECT_ROOT) / "../shared/data/airline/events.jsonl";
  std::ifstream in(path);
  if (!in) GTEST_SKIP() << "no shared data beside the project";
  Scanner scanner(test::shipped_patterns());
  std::map<std::string, std::size_t> found;
  for (std::string line; std::getline(in, line);) {
    for (const Match& match : scanner.scan(line)) ++found[scanner.library().patterns()[match.pattern].id];
  }
  EXPECT_EQ(found, (std::map<std::string, std::size_t>{{"pii.email", 120}, {"pii.name", 2470}}));
}

}  // namespace scanner_test
}  // namespace tocsin
