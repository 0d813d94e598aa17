#include "edge/webhook/webhook_receiver.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <deque>
#include <mutex>
#include <utility>

#include "edge/http/client.h"
#include "edge/webhook/signature.h"

namespace tocsin {

namespace {

constexpr std::size_t max_answer_bytes = 64 * 1024;  // read for politeness, and thrown away
constexpr std::int64_t max_retry_after_seconds = 365LL * 24 * 60 * 60;

// The special-purpose registries of IANA, without what may be on the public side of them (NAT64 is judged apart).
constexpr std::array<std::string_view, 15> special_v4{
    "0.0.0.0/8",        // this network, unspecified
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // shared: carrier-grade NAT
    "127.0.0.0/8",      // loopback
    "169.254.0.0/16",   // link-local, with the metadata services of clouds
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.88.99.0/24",   // 6to4 relays, deprecated
    "192.168.0.0/16",   // private
    "198.18.0.0/15",    // benchmarks
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, broadcast
};
constexpr std::array<std::string_view, 12> special_v6{
    "::/96",            // unspecified, loopback, IPv4-compatible
    "::ffff:0:0/96",    // IPv4-mapped
    "::ffff:0:0:0/96",  // IPv4-translated
    "64:ff9b:1::/48",   // local NAT64
    "100::/64",         // discard
    "2001::/23",        // protocol assignments, Teredo
    "2001:db8::/32",    // documentation
    "2002::/16",        // 6to4
    "3fff::/20",        // documentation
    "fc00::/7",         // private
    "fe80::/9",         // link-local, site-local
    "ff00::/8",         // multicast
};
constexpr std::string_view nat64 = "64:ff9b::/96";

std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t value = 0;
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    return max_retry_after_seconds;
  return value;
}

// RFC 9110, 5.6.7: IMF-fixdate, in seconds since the epoch. The two older forms nobody has sent for decades.
std::optional<std::int64_t> parse_http_date(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') return std::nullopt;
  const auto day_number = digits(text.substr(5, 2)), year_number = digits(text.substr(12, 4));
  const auto hour = digits(text.substr(17, 2)), minute = digits(text.substr(20, 2)),
             second = digits(text.substr(23, 2));
  const std::size_t month_at = months.find(text.substr(8, 3));
  if (!day_number || !year_number || !hour || !minute || !second) return std::nullopt;
  if (month_at == std::string_view::npos || month_at % 3 != 0) return std::nullopt;
  const year_month_day date{year{static_cast<int>(*year_number)}, month{static_cast<unsigned>(month_at / 3 + 1)},
                            day{static_cast<unsigned>(*day_number)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return duration_cast<seconds>(sys_days{date}.time_since_epoch()).count() + *hour * 3600 + *minute * 60 + *second;
}

DeliveryOutcome outcome_of(int status) {
  if (status >= 200 && status < 300) return DeliveryOutcome::delivered;
  if (status == 410) return DeliveryOutcome::gone;
  if (status == 408 || status == 429) return DeliveryOutcome::retry;
  return status >= 400 && status < 500 ? DeliveryOutcome::rejected : DeliveryOutcome::retry;
}

// Visible ASCII and spaces inside: what every HTTP library hands on unchanged.
bool is_header_text(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::optional<AddressGuard::Range> AddressGuard::parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = parse_ip_address(text.substr(0, slash));
  if (!base) return std::nullopt;
  const int whole = base->v6 ? 128 : 32;
  int bits = whole;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (error != std::errc{} || end != number.data() + number.size() || bits < 0 || bits > whole) return std::nullopt;
  }
  return Range{*base, bits};
}

bool AddressGuard::contains(const Range& range, const IpAddress& address) {
  if (range.base.v6 != address.v6) return false;
  for (int bit = 0; bit < range.prefix_bits; bit += 8) {
    const auto at = static_cast<std::size_t>(bit / 8);
    const int ignored = std::max(0, 8 - (range.prefix_bits - bit));
    if ((range.base.bytes[at] >> ignored) != (address.bytes[at] >> ignored)) return false;
  }
  return true;
}

bool AddressGuard::is_special(const IpAddress& address) {
  static const auto ranges = [] {
    std::vector<Range> all;
    for (const std::string_view text : special_v4) all.push_back(parse_range(text).value());
    for (const std::string_view text : special_v6) all.push_back(parse_range(text).value());
    return all;
  }();
  static const Range nat64_range = parse_range(nat64).value();
  if (contains(nat64_range, address)) {
    IpAddress inside;
    std::copy(address.bytes.begin() + 12, address.bytes.end(), inside.bytes.begin());
    return is_special(inside);
  }
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) { return contains(range, address); });
}

Result<AddressGuard, std::vector<std::string>> AddressGuard::create(const std::vector<std::string>& allow_cidrs) {
  AddressGuard guard;
  std::vector<std::string> problems;
  for (const std::string& text : allow_cidrs) {
    const auto range = parse_range(text);
    if (!range) {
      problems.push_back("allow_cidrs: \"" + text + "\" is not a range of addresses: write one as 10.1.0.0/16");
      continue;
    }
    IpAddress first = range->base;
    for (int bit = range->prefix_bits; bit < (first.v6 ? 128 : 32); ++bit)
      first.bytes[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
    if (first != range->base) {
      problems.push_back("allow_cidrs: \"" + text + "\" has bits behind its prefix: write " + to_text(first) + "/" +
                         std::to_string(range->prefix_bits));
      continue;
    }
    guard.allowed_.push_back(*range);
  }
  if (!problems.empty()) return failure(std::move(problems));
  return guard;
}

bool AddressGuard::allows(const IpAddress& address) const {
  return !is_special(address) ||
         std::any_of(allowed_.begin(), allowed_.end(), [&](const Range& range) { return contains(range, address); });
}

std::optional<Duration> parse_retry_after(std::string_view text, std::int64_t now) {
  auto seconds = digits(text);
  if (!seconds) {
    const auto date = parse_http_date(text);
    if (!date) return std::nullopt;
    seconds = *date - now;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 0, max_retry_after_seconds));
}

class WebhookReceiver::Impl {
 public:
  Impl(Options options, Url url, std::vector<WebhookSecret> secrets, AddressGuard guard,
       std::unique_ptr<HttpClient> client)
      : options_(std::move(options)),
        url_(std::move(url)),
        secrets_(std::move(secrets)),
        guard_(std::move(guard)),
        client_(std::move(client)) {
    options_.secrets.clear();
  }

  ~Impl() {
    std::deque<Pending> queued;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      queued.swap(queue_);
    }
    for (Pending& pending : queued) answer_soon(std::move(pending), DeliveryOutcome::retry, "shutting down");
    client_->stop();
  }

  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) {
    Pending pending{std::move(delivery), std::move(done)};
    if (!is_header_text(pending.delivery.page_id))
      return answer_soon(std::move(pending), DeliveryOutcome::rejected, "the page id cannot stand in a header");
    const char* refusal = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        refusal = "shutting down";
      } else if (on_the_wire_ < options_.max_concurrent) {
        ++on_the_wire_;
      } else if (queue_.size() < options_.max_queued) {
        queue_.push_back(std::move(pending));
        return;
      } else {
        refusal = "too many deliveries wait for this receiver";
      }
    }
    if (refusal != nullptr) return answer_soon(std::move(pending), DeliveryOutcome::retry, refusal);
    start(std::move(pending));
  }

 private:
  struct Pending {
    Delivery delivery;
    std::function<void(DeliveryResult)> done;
  };

  void answer_soon(Pending pending, DeliveryOutcome outcome, const char* reason) {
    DeliveryResult result;
    result.page_id = std::move(pending.delivery.page_id);
    result.outcome = outcome;
    result.reason = reason;
    client_->post([done = std::move(pending.done), result = std::move(result)] { done(result); });
  }

  void start(Pending pending) {
    Delivery& delivery = pending.delivery;
    const std::int64_t now = options_.wall_clock_seconds();  // at sending: receivers refuse old time stamps
    HttpCall call;
    call.method = "POST";
    call.url = url_;
    call.headers = {{"Content-Type", "application/json"},
                    {"User-Agent", "tocsin"},
                    {"webhook-id", delivery.page_id},
                    {"webhook-timestamp", std::to_string(now)},
                    {"webhook-signature", webhook_signature_header(secrets_, delivery.page_id, now, delivery.body)}};
    call.body = std::move(delivery.body);
    call.timeout = options_.timeout;
    call.max_reply_bytes = max_answer_bytes;
    call.discard_body = true;
    call.may_connect = [this](const IpAddress& address) { return guard_.allows(address); };
    client_->call(std::move(call),
                  [this, page_id = std::move(delivery.page_id), done = std::move(pending.done)](HttpOutcome outcome) {
                    start_next();
                    done(read(page_id, outcome));
                  });
  }

  // Thread: the client's.
  void start_next() {
    Pending next;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) {
        --on_the_wire_;
        return;
      }
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    start(std::move(next));
  }

  DeliveryResult read(const std::string& page_id, const HttpOutcome& outcome) const {
    DeliveryResult result;
    result.page_id = page_id;
    result.status = outcome.status;
    if (outcome.status == 0) {
      result.outcome = DeliveryOutcome::retry;
      result.reason = outcome.problem == "stopped" ? "shutting down" : outcome.problem;
      return result;
    }
    result.outcome = outcome_of(outcome.status);
    result.reason = "HTTP " + std::to_string(outcome.status);
    if (outcome.status >= 300 && outcome.status < 400) result.reason += ": redirects are not followed";
    if (result.outcome == DeliveryOutcome::retry)
      if (const auto header = find_field(outcome.headers, "retry-after"))
        result.retry_after = parse_retry_after(*header, options_.wall_clock_seconds());
    return result;
  }

  Options options_;
  const Url url_;
  const std::vector<WebhookSecret> secrets_;
  const AddressGuard guard_;
  // A mutex, because attempts come from any thread and what ends them from the client's; held for a few moves only.
  std::mutex mutex_;
  std::deque<Pending> queue_;
  std::size_t on_the_wire_ = 0;
  bool stopping_ = false;
  std::unique_ptr<HttpClient> client_;
};

WebhookReceiver::WebhookReceiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebhookReceiver::~WebhookReceiver() = default;

void WebhookReceiver::attempt(Delivery delivery, std::function<void(DeliveryResult)> done) {
  impl_->attempt(std::move(delivery), std::move(done));
}

Result<std::unique_ptr<WebhookReceiver>, std::vector<std::string>> WebhookReceiver::create(Options options) {
  std::vector<std::string> problems;
  auto url = parse_url(options.url);
  if (!url) problems.push_back("url: " + url.error());
  std::vector<WebhookSecret> secrets;
  for (const std::string& text : options.secrets) {
    auto secret = parse_webhook_secret(text);
    if (secret)
      secrets.push_back(std::move(secret).value());
    else
      problems.push_back("secrets: " + secret.error());
  }
  if (options.secrets.empty()) problems.emplace_back("secrets: none is given, and pages go out signed");
  if (options.timeout <= Duration::zero()) problems.emplace_back("timeout: must be longer than nothing");
  if (options.max_concurrent == 0) problems.emplace_back("max_concurrent: must be 1 at least");
  if (!options.wall_clock_seconds) problems.emplace_back("wall_clock_seconds: missing");
  auto guard = AddressGuard::create(options.allow_cidrs);
  if (!guard) problems.insert(problems.end(), guard.error().begin(), guard.error().end());
  auto client = HttpClient::create({.ca_file = options.ca_file});
  if (!client) problems.push_back("ca_file: " + client.error());
  if (!problems.empty()) return failure(std::move(problems));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(url).value(), std::move(secrets),
                                     std::move(guard).value(), std::move(client).value());
  return std::unique_ptr<WebhookReceiver>(new WebhookReceiver(std::move(impl)));
}

}  // namespace tocsin
