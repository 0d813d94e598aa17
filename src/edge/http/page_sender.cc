#include "edge/http/page_sender.h"

#include <deque>
#include <mutex>
#include <utility>

#include "edge/http/address_guard.h"
#include "edge/http/client.h"
#include "edge/http/retry_after.h"

namespace tocsin {

namespace {

constexpr std::size_t max_answer_bytes = 64 * 1024;  // read for politeness, and thrown away

DeliveryOutcome outcome_of(int status) {
  if (status >= 200 && status < 300) return DeliveryOutcome::delivered;
  if (status == 410) return DeliveryOutcome::gone;
  if (status == 408 || status == 429) return DeliveryOutcome::retry;
  return status >= 400 && status < 500 ? DeliveryOutcome::rejected : DeliveryOutcome::retry;
}

}  // namespace

class PageSender::Impl {
 public:
  Impl(const Options& options, Url url, Headers headers, AddressGuard guard, std::unique_ptr<HttpClient> client)
      : options_(options),
        url_(std::move(url)),
        headers_(std::move(headers)),
        guard_(std::move(guard)),
        client_(std::move(client)) {}

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

  void reject(std::string page_id, std::function<void(DeliveryResult)> done, const char* reason) {
    answer_soon({{std::move(page_id), {}}, std::move(done)}, DeliveryOutcome::rejected, reason);
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
    HttpCall call;
    call.method = "POST";
    call.url = url_;
    call.headers = headers_(delivery, options_.wall_clock_seconds());
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

  const Options options_;
  const Url url_;
  const Headers headers_;
  const AddressGuard guard_;
  // A mutex, because attempts come from any thread and what ends them from the client's; held for a few moves only.
  std::mutex mutex_;
  std::deque<Pending> queue_;
  std::size_t on_the_wire_ = 0;
  bool stopping_ = false;
  std::unique_ptr<HttpClient> client_;
};

PageSender::PageSender(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PageSender::~PageSender() = default;

void PageSender::attempt(Delivery delivery, std::function<void(DeliveryResult)> done) {
  impl_->attempt(std::move(delivery), std::move(done));
}

void PageSender::reject(std::string page_id, std::function<void(DeliveryResult)> done, const char* reason) {
  impl_->reject(std::move(page_id), std::move(done), reason);
}

Result<std::unique_ptr<PageSender>, std::vector<std::string>> PageSender::create(const Options& options,
                                                                                 Headers headers) {
  std::vector<std::string> problems;
  auto url = parse_url(options.url);
  if (!url) problems.push_back("url: " + url.error());
  if (options.timeout <= Duration::zero()) problems.emplace_back("timeout: must be longer than nothing");
  if (options.max_concurrent == 0) problems.emplace_back("max_concurrent: must be 1 at least");
  if (!options.wall_clock_seconds) problems.emplace_back("wall_clock_seconds: missing");
  auto guard = AddressGuard::create(options.allow_cidrs);
  if (!guard) problems.insert(problems.end(), guard.error().begin(), guard.error().end());
  auto client = HttpClient::create({.ca_file = options.ca_file});
  if (!client) problems.push_back("ca_file: " + client.error());
  if (!problems.empty()) return failure(std::move(problems));
  auto impl = std::make_unique<Impl>(options, std::move(url).value(), std::move(headers), std::move(guard).value(),
                                     std::move(client).value());
  return std::unique_ptr<PageSender>(new PageSender(std::move(impl)));
}

}  // namespace tocsin
