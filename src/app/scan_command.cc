#include "app/scan_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <istream>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "app/input_stream.h"
#include "app/progress.h"
#include "base/json.h"
#include "core/sanitize/checks.h"
#include "core/sanitize/explanation.h"
#include "core/sanitize/fingerprint.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/scanner.h"

namespace tocsin {

namespace {

constexpr std::string_view trial_key = "tocsin scan: fixed key for trials";

std::vector<unsigned char> key_of(const ScanOptions& options) {
  if (!options.fingerprint_key.empty()) return options.fingerprint_key;
  return {trial_key.begin(), trial_key.end()};
}

// The four hexadecimal digits of a \u escape, or nothing.
std::optional<std::uint32_t> unit_at(std::string_view text, std::size_t at) {
  constexpr std::size_t digits = 4;
  return at + digits <= text.size() ? hexadecimal(text.substr(at, digits)) : std::nullopt;
}

// Some lines without their JSON escapes, and for each byte where it came from.
class Unescaped {
 public:
  void add_line(std::string_view raw) {
    if (!text_.empty() || !line_starts_.empty()) put('\n', raw_size_ - 1, 1);
    line_starts_.push_back(text_.size());
    raw_starts_.push_back(raw_size_);
    for (std::size_t i = 0; i < raw.size();) i += add_character(raw, i);
    raw_size_ += raw.size() + 1;
  }

  const std::string& text() const { return text_; }
  std::size_t line_count() const { return line_starts_.size(); }

  std::size_t line_of(std::size_t at) const {
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), at);
    return static_cast<std::size_t>(after - line_starts_.begin()) - 1;
  }
  // The offset in its raw line of the text's byte `at`, which belongs to `line` or is where that ends.
  std::size_t raw_offset(std::size_t at, std::size_t line) const {
    const std::size_t raw = at < origins_.size() ? origins_[at] : raw_size_ - 1;
    return raw - raw_starts_[line];
  }
  std::size_t line_start(std::size_t line) const { return line_starts_[line]; }
  // Without the line end.
  std::size_t line_end(std::size_t line) const {
    return line + 1 < line_starts_.size() ? line_starts_[line + 1] - 1 : text_.size();
  }

 private:
  void put(char c, std::size_t origin, std::size_t count) {
    text_.append(count, c);
    origins_.insert(origins_.end(), count, origin);
  }
  void put_utf8(std::uint32_t code, std::size_t origin) {
    const auto byte = [&](std::uint32_t value) { put(static_cast<char>(value), origin, 1); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xc0 | (code >> 6));
      byte(0x80 | (code & 0x3f));
    } else {
      if (code < 0x10000) {
        byte(0xe0 | (code >> 12));
      } else {
        byte(0xf0 | (code >> 18));
        byte(0x80 | ((code >> 12) & 0x3f));
      }
      byte(0x80 | ((code >> 6) & 0x3f));
      byte(0x80 | (code & 0x3f));
    }
  }

  // Answers how many raw bytes the character took.
  std::size_t add_character(std::string_view raw, std::size_t i) {
    const std::size_t origin = raw_size_ + i;
    if (raw[i] != '\\' || i + 1 == raw.size()) {
      put(raw[i], origin, 1);
      return 1;
    }
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const std::size_t known = names.find(raw[i + 1]);
    if (known != std::string_view::npos) {
      put(meanings[known], origin, 1);
      return 2;
    }
    if (raw[i + 1] == 'u') {
      if (const auto unit = unit_at(raw, i + 2)) {
        const std::string_view rest = raw.substr(i + 6);
        if (*unit >= 0xd800 && *unit < 0xdc00 && rest.substr(0, 2) == "\\u") {
          const auto low = unit_at(rest, 2);
          if (low && *low >= 0xdc00 && *low < 0xe000) {
            put_utf8(0x10000 + ((*unit - 0xd800) << 10) + (*low - 0xdc00), origin);
            return 12;
          }
        }
        put_utf8(*unit, origin);
        return 6;
      }
    }
    put(raw[i], origin, 1);  // no escape of JSON: it is what it is
    return 1;
  }

  std::string text_;
  std::vector<std::size_t> origins_;
  std::vector<std::size_t> line_starts_;
  std::vector<std::size_t> raw_starts_;
  std::size_t raw_size_ = 0;  // with a byte for each line end
};

std::string quoted(const std::string& text) {
  return dump(text);
}

// A private key begins in this line and goes on in the next.
bool opens_private_key(std::string_view line) {
  const std::size_t begin = line.rfind("-----BEGIN ");
  if (begin == std::string_view::npos) return false;
  const std::string_view rest = line.substr(begin);
  return rest.find("PRIVATE KEY") != std::string_view::npos && rest.find("-----END ") == std::string_view::npos;
}

class LineScan {
 public:
  LineScan(const ScanOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), scanner_(options.library), fingerprinter_(key_of(options)), out_(out), err_(err) {}

  void take(std::string line) {
    constexpr std::size_t most_lines_of_a_key = 400;
    pending_.push_back(std::move(line));
    const std::string& last = pending_.back();
    if (opens_private_key(last)) {
      key_lines_ = 1;
    } else if (key_lines_ > 0) {
      const bool ends = last.find("-----END ") != std::string::npos || ++key_lines_ == most_lines_of_a_key;
      if (ends) key_lines_ = 0;
    }
    if (key_lines_ == 0 && !goes_on(last)) flush();
  }

  void flush() {
    if (pending_.empty()) return;
    Unescaped unescaped;
    for (const std::string& line : pending_) unescaped.add_line(line);
    const auto matches = scanner_.scan(unescaped.text());
    if (!options_.redact && options_.explain == 0) write_findings(unescaped, matches);
    for (const Match& match : matches) {
      found_ = found_ || match.tier == Tier::halt || match.tier == Tier::page;
    }
    if (const auto cut = scanner_.cut_at()) {
      const std::size_t line = unescaped.line_of(*cut);
      fmt::memory_buffer text;
      fmt::format_to(std::back_inserter(text), "line {}: unscanned from byte {} on: it costs too much\n",
                     first_line_ + line, unescaped.raw_offset(*cut, line));
      err_.write(text.data(), static_cast<std::streamsize>(text.size()));
      found_ = true;
    }
    if (options_.explain >= first_line_ && options_.explain < first_line_ + pending_.size())
      explain(unescaped, matches);
    if (options_.redact) write_redacted(unescaped, matches);
    first_line_ += pending_.size();
    pending_.clear();
    key_lines_ = 0;
  }

  bool found() const { return found_; }

 private:
  // Whether what stands in the lines so far may be explained by the next: a name by its value, in files that people
  // wrote. A record in JSON is by itself.
  bool goes_on(std::string_view line) const {
    constexpr std::size_t most_lines = 16;
    const bool is_record = !line.empty() && line.front() == '{' && line.back() == '}';
    return options_.joins_lines && !line.empty() && !is_record && pending_.size() < most_lines;
  }

  void write_findings(const Unescaped& unescaped, std::span<const Match> matches) {
    std::size_t next = 0;
    const auto cut = scanner_.cut_at();
    for (std::size_t line = 0; line < unescaped.line_count(); ++line) {
      std::string findings;
      while (next < matches.size() && unescaped.line_of(matches[next].begin) == line) {
        const Match& match = matches[next++];
        if (match.part_of != Match::whole) continue;
        const Pattern& pattern = options_.library->patterns()[match.pattern];
        const std::size_t end = std::min<std::size_t>(match.end, unescaped.line_end(line));
        const std::size_t from = unescaped.raw_offset(match.begin, line);
        const std::size_t to =
            end == unescaped.line_end(line) ? pending_[line].size() : unescaped.raw_offset(end, line);
        const std::string fingerprint = fingerprinter_.of(match, *options_.library);
        if (options_.output == ScanOptions::Output::json) {
          findings +=
              fmt::format(R"({}{{"pattern":"{}","tier":"{}","start":{},"end":{},"fingerprint":"{}"}})",
                          findings.empty() ? "" : ",", pattern.id, to_text(match.tier), from, to, fingerprint);
        } else {
          findings += options_.file.empty() ? fmt::format("line {}", first_line_ + line)
                                            : fmt::format("{}:{}", options_.file, first_line_ + line);
          findings +=
              fmt::format(": {} ({}) bytes {}-{} {}\n", pattern.id, to_text(match.tier), from, to, fingerprint);
        }
      }
      const bool cut_here = cut && unescaped.line_of(*cut) == line;
      if (options_.output == ScanOptions::Output::text) {
        out_ << findings;
      } else if (!findings.empty() || cut_here) {
        out_ << '{';
        if (!options_.file.empty()) out_ << "\"file\":" << quoted(options_.file) << ',';
        out_ << fmt::format(R"("line":{},"findings":[{}])", first_line_ + line, findings);
        if (cut_here) out_ << fmt::format(R"(,"unscanned_from":{})", unescaped.raw_offset(*cut, line));
        out_ << "}\n";
      }
    }
  }

  // Places are those of the line without its escapes.
  void explain(const Unescaped& unescaped, std::span<const Match> matches) {
    const std::size_t line = options_.explain - first_line_;
    const std::size_t start = unescaped.line_start(line);
    const auto is_here = [&](std::size_t at) { return unescaped.line_of(at) == line; };
    const auto patterns = options_.library->patterns();
    bool says = false;
    for (const Match& match : matches) {
      if (!is_here(match.begin)) continue;
      says = true;
      const Pattern& pattern = patterns[match.pattern];
      out_ << fmt::format("{} at bytes {}-{}: {}\n", pattern.id, match.begin - start, match.end - start,
                          pattern.description);
      out_ << fmt::format("  {} characters, {:.1f} bits of entropy each, fingerprint {}\n", match.identity.size(),
                          entropy(match.identity), fingerprinter_.of(match, *options_.library));
      if (match.part_of != Match::whole) {
        out_ << "  part of " << patterns[matches[match.part_of].pattern].id << ": one key, one finding\n";
      } else if (match.end - match.begin != match.identity.size()) {
        out_ << "  it was hidden in an encoding\n";
      }
      out_ << "  tier " << to_text(match.tier) << tier_says(match, pattern) << '\n';
      if (!pattern.rotate.empty()) out_ << "  " << pattern.rotate << '\n';
    }
    for (const NearMatch& near : near_matches(*options_.library, unescaped.text())) {
      if (!is_here(near.at)) continue;
      says = true;
      const std::string_view id = patterns[near.pattern].id;
      const std::string_view what = near.refusal == Refusal::no_vendor ? "a vendor's key" : id;
      out_ << fmt::format("not {} at byte {}: {}\n", what, near.at - start, to_text(near.refusal));
    }
    if (!says) out_ << "nothing in it begins as any pattern does\n";
  }

  static std::string_view tier_says(const Match& match, const Pattern& pattern) {
    if (pattern.is_shadow) return ": the pattern is on trial (shadow: true)";
    if (match.tier != pattern.tier) {
      return holds_typed_run(match.identity)
                 ? ", not halt: it holds a run that somebody typed, such as abcdefgh or 12345678"
                 : ", not halt: its checksum or structure is not the vendor's";
    }
    switch (match.tier) {
      case Tier::halt:
        return ": an exact shape of the vendor's, so the task is halted at once, and somebody paged";
      case Tier::page:
        return ": somebody is paged; nothing is halted";
      case Tier::count:
        return ": counted; nobody is paged";
      case Tier::pii:
        break;
    }
    return ": personal data, redacted on entry and counted";
  }

  // Until nothing is found, as redact() does, and with offsets of lines as they came.
  void write_redacted(const Unescaped& unescaped, std::span<const Match> matches) {
    constexpr int most_rounds = 6;
    std::vector<std::string> lines = redacted_lines(pending_, unescaped, matches);
    for (int round = 1; round < most_rounds && (!matches.empty() || scanner_.last_scan_was_cut()); ++round) {
      Unescaped again;
      for (const std::string& line : lines) again.add_line(line);
      matches = scanner_.scan(again.text());
      lines = redacted_lines(lines, again, matches);
    }
    for (const std::string& line : lines) out_ << line << '\n';
  }

  // Each line keeps its place: of a key over several lines, every line becomes the label.
  std::vector<std::string> redacted_lines(const std::vector<std::string>& lines, const Unescaped& unescaped,
                                          std::span<const Match> matches) const {
    std::vector<std::string> answer;
    std::size_t next = 0;
    const std::size_t cut = scanner_.cut_at() ? *scanner_.cut_at() : unescaped.text().size() + 1;
    for (std::size_t line = 0; line < unescaped.line_count(); ++line) {
      const std::string& raw = lines[line];
      const std::size_t line_end = unescaped.line_end(line);
      std::size_t copied = 0;
      std::string redacted;
      for (; next < matches.size() && matches[next].begin <= line_end; ++next) {
        const Match& match = matches[next];
        const std::size_t begin = std::max<std::size_t>(match.begin, unescaped.line_start(line));
        const std::size_t from = begin == line_end ? raw.size() : unescaped.raw_offset(begin, line);
        const std::size_t to = match.end >= line_end ? raw.size() : unescaped.raw_offset(match.end, line);
        redacted.append(raw, copied, from - copied);
        redacted += fingerprinter_.label(match, *options_.library);
        copied = to;
        if (match.end > line_end) break;  // goes on in the next line
      }
      if (cut <= line_end) {
        const std::size_t from =
            std::max(copied, cut <= unescaped.line_start(line) ? 0 : unescaped.raw_offset(cut, line));
        redacted.append(raw, copied, from - copied);
        redacted += unscanned_label;
      } else {
        redacted.append(raw, copied);
      }
      answer.push_back(std::move(redacted));
    }
    return answer;
  }

  const ScanOptions& options_;
  Scanner scanner_;
  Fingerprinter fingerprinter_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<std::string> pending_;  // one line, or those that belong together so far
  std::size_t key_lines_ = 0;         // of the private key that the last of them belongs to
  std::size_t first_line_ = 1;        // number of pending_.front()
  bool found_ = false;
};

}  // namespace

int run_scan(const ScanOptions& options, std::istream& in, std::ostream& out, std::ostream& err) {
  LineScan scan(options, out, err);
  std::size_t lines = 0;
  Progress progress;
  for (std::string line; std::getline(in, line);) {
    scan.take(std::move(line));
    if ((++lines & 1023) == 0) progress.show([&] { return fmt::format("{} lines", lines); });
  }
  progress.clear();
  scan.flush();
  return scan.found() ? 1 : 0;
}

int explain_text(ScanOptions options, std::string_view text) {
  std::string line;  // one, whose line ends are escapes
  for (const char c : text) c == '\n' ? line += "\\n" : line += c;
  std::istringstream in(line);
  options.explain = 1;
  return run_scan(options, in, std::cout, std::cerr);
}

namespace {

bool is_binary(InputStream& in) {
  constexpr std::size_t looked_at = 8192;
  return in.ahead().substr(0, looked_at).find('\0') != std::string_view::npos;
}

// A file as it is, all files below a folder by name; false where it can't be listed.
bool list_files(const std::string& input, std::vector<std::string>& files) {
  namespace fs = std::filesystem;
  std::error_code problem;
  if (input == "-" || !fs::is_directory(input, problem)) {
    files.push_back(input);
    return true;
  }
  const std::size_t first = files.size();
  fs::recursive_directory_iterator entries(input, fs::directory_options::skip_permission_denied, problem);
  for (const fs::recursive_directory_iterator end; !problem && entries != end; entries.increment(problem)) {
    if (entries->is_regular_file(problem)) files.push_back(entries->path().string());
  }
  std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
  return !problem;
}

}  // namespace

int run_scan(ScanOptions options, const std::vector<std::string>& inputs) {
  std::vector<std::string> files;
  int status = 0;
  const auto unreadable = [&](const std::string& path) {
    std::cerr << "tocsin scan: " << path << " can't be read: no such file, or no right to it\n";
    status = 2;
  };
  for (const std::string& input : inputs) {
    if (!list_files(input, files)) unreadable(input);
  }
  std::size_t passed_over = 0;
  Progress progress;
  for (std::size_t i = 0; i < files.size(); ++i) {
    progress.show([&] { return fmt::format("{} of {} files", i, files.size()); });
    options.file = files.size() > 1 ? files[i] : std::string{};
    const bool is_file = files[i] != "-";
    InputStream stream(files[i]);
    if (!stream) {
      unreadable(files[i]);
      continue;
    }
    if (is_file && files.size() > 1 && is_binary(stream)) {
      ++passed_over;
      continue;
    }
    options.joins_lines = is_file;  // who writes to a pipe may wait for what is said of each line
    const int found = run_scan(options, stream, std::cout, std::cerr);
    if (status == 0) status = found;
  }
  progress.clear();
  if (passed_over > 0) std::cerr << "tocsin scan: " << passed_over << " binary files were passed over\n";
  return status;
}

}  // namespace tocsin
