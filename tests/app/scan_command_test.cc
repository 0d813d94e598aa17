#include "app/scan_command.h"

#include <sstream>

#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace scan_command_test {

using test::aws_key;
using test::aws_secret;

struct Answer {
  int status = 0;
  std::string out;
  std::string err;
};

Answer scan(const std::string& text, ScanOptions::Output output = ScanOptions::Output::json, bool redact = false) {
  ScanOptions options;
  options.library = test::shipped_patterns();
  options.output = output;
  options.redact = redact;
  std::istringstream in(text);
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_scan(options, in, out, err);
  return {status, out.str(), err.str()};
}

Answer redact(const std::string& text) {
  return scan(text, ScanOptions::Output::text, true);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ScanCommand, WritesOneObjectForEachLineWithAFinding) {
  const Answer answer = scan("clean\nmail ann@x.org\n");
  EXPECT_TRUE(holds(
      answer.out, R"({"line":2,"findings":[{"pattern":"pii.email","tier":"pii","start":5,"end":14,"fingerprint":")"));
  EXPECT_EQ(std::count(answer.out.begin(), answer.out.end(), '\n'), 1);
  EXPECT_EQ(answer.status, 0) << "personal data alone is no leak";
}

TEST(ScanCommand, EndsWithOneWhenItFoundASecretAndNeverWritesIt) {
  for (const auto output : {ScanOptions::Output::json, ScanOptions::Output::text}) {
    const Answer answer = scan("id " + aws_key + " secret " + aws_secret + "\n", output);
    EXPECT_EQ(answer.status, 1);
    EXPECT_FALSE(holds(answer.out + answer.err, aws_key));
    EXPECT_FALSE(holds(answer.out + answer.err, aws_secret));
    EXPECT_TRUE(holds(answer.out, "aws.access_key"));
    EXPECT_FALSE(holds(answer.out, "aws.secret_access_key")) << "one key, one finding";
  }
}

TEST(ScanCommand, ANameExplainsTheValueInTheNextLineOfAParagraph) {
  const std::string text = "machine api.example.org\n  login ann\n  password 7cc938e45e63e9014f88f811be240ba0\n";
  ScanOptions options;
  options.library = test::shipped_patterns();
  options.joins_lines = true;
  std::istringstream in("x\n\n" + text + "\nclean\n");
  std::ostringstream out, err;
  EXPECT_EQ(run_scan(options, in, out, err), 1);
  EXPECT_TRUE(holds(out.str(), "line 5: netrc"));
  options.redact = true;
  std::istringstream again("x\n\n" + text + "\nclean\n");
  std::ostringstream redacted;
  run_scan(options, again, redacted, err);
  EXPECT_FALSE(holds(redacted.str(), "7cc938e4"));
  EXPECT_TRUE(holds(redacted.str(), "machine api.example.org\n  login ann\n  password ["));
  EXPECT_TRUE(holds(redacted.str(), "\n\nclean\n"));
}

TEST(ScanCommand, CountsAnEscapeAsItsCharacterAndReportsTheBytesOfTheLine) {
  const Answer answer = scan(R"({"a":"\"ann@x.org\""})"
                             "\n"
                             R"({"a":"\u0061nn@x.org"})"
                             "\n");
  EXPECT_TRUE(holds(answer.out, R"("start":8,"end":17)")) << answer.out;
  EXPECT_TRUE(holds(answer.out, R"("start":6,"end":20)")) << answer.out;
}

TEST(ScanCommand, WritesTheLinesBackRedacted) {
  const Answer answer = redact("one\n{\"k\":\"x\\n" + aws_key + "\\n" + aws_secret + "\"}\nthree\n");
  EXPECT_FALSE(holds(answer.out, aws_key));
  EXPECT_FALSE(holds(answer.out, aws_secret));
  EXPECT_TRUE(holds(answer.out, "one\n{\"k\":\"x\\n[aws.access_key:"));
  EXPECT_TRUE(holds(answer.out, "]\"}\nthree\n"));
  EXPECT_EQ(answer.status, 1);
}

TEST(ScanCommand, TakesAPrivateKeyOverSeveralLinesForOneFinding) {
  const std::string text = "before\nkey: " + test::private_key("\n") + "\nafter ann@x.org\n";
  const Answer answer = scan(text);
  EXPECT_TRUE(
      holds(answer.out, R"({"line":2,"findings":[{"pattern":"pem.private_key","tier":"halt","start":5,"end":36,)"))
      << answer.out;
  EXPECT_TRUE(holds(answer.out, R"({"line":6,"findings":[{"pattern":"pii.email")")) << answer.out;
  const Answer redacted = redact(text);
  EXPECT_EQ(std::count(redacted.out.begin(), redacted.out.end(), '\n'), std::count(text.begin(), text.end(), '\n'));
  EXPECT_FALSE(holds(redacted.out, test::key_body));
  EXPECT_FALSE(holds(redacted.out, "PRIVATE"));
  EXPECT_TRUE(holds(redacted.out, "\nkey: [pem.private_key:"));
  EXPECT_EQ(scan(redacted.out).out, "");
}

TEST(ScanCommand, NeverPassesOnWhatItCouldNotScan) {
  std::string soup;
  while (soup.size() < 1 << 20) soup += "ghp_ AKIA sk-ant- xoxb-1 password= secret: token=a ";
  const Answer answer = redact(soup + test::github_token + "\n");
  EXPECT_EQ(answer.status, 1);
  EXPECT_TRUE(holds(answer.out, "[unscanned]\n"));
  EXPECT_FALSE(holds(answer.out, test::github_token));
  EXPECT_TRUE(holds(answer.err, "line 1: unscanned from byte "));
  EXPECT_TRUE(holds(scan(soup).out, "\"unscanned_from\":"));
}

}  // namespace scan_command_test
}  // namespace tocsin
