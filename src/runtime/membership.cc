#include "runtime/membership.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration first_back_off = 200ms;
constexpr Duration longest_back_off = 5s;
// A member is to be served each second.
constexpr Duration serve_every = 200ms;

}  // namespace

Membership::Membership(std::string group, std::vector<Topic> topics, std::string name, Bus& bus, const Clock& clock,
                       SayLine say)
    : group_(std::move(group)),
      topics_(std::move(topics)),
      name_(std::move(name)),
      bus_(bus),
      clock_(clock),
      say_(std::move(say)),
      back_off_(first_back_off) {}

void Membership::set(std::unique_ptr<Member> member) {
  {
    const std::lock_guard lock(wake_mutex_);
    awake_ = member.get();
  }
  member_ = std::move(member);
}

bool Membership::serve(std::vector<Assigned>& assigned, bool& is_new) {
  is_new = false;
  if (!member_) {
    if (clock_.monotonic() < next_join_) return false;
    auto joined = bus_.join(group_, topics_, name_);
    if (!joined) {
      next_join_ = clock_.monotonic() + back_off_;
      back_off_ = std::min(longest_back_off, back_off_ * 2);
      if (!said_) say_(false, name_ + " can't join its group yet: " + joined.error());
      said_ = true;
      return false;
    }
    set(std::move(joined.value()));
    if (before_revoke_) member_->before_revoke(before_revoke_);
    is_new = true;
    assigned.clear();
  }
  member_->serve();
  if (const auto& lost = member_->lost()) {
    leave(*lost);
    return false;
  }
  if (auto taken = member_->take_assignment()) {
    assigned = std::move(*taken);
    is_new = true;
    has_assignment_.store(true, std::memory_order_relaxed);
    back_off_ = first_back_off;
    said_ = false;
  }
  return true;
}

bool Membership::still_ours(const std::atomic<bool>& stop) {
  const Duration now = clock_.monotonic();
  if (now - served_at_ >= serve_every) {
    member_->serve();
    served_at_ = now;
  }
  return !stop.load(std::memory_order_relaxed) && !member_->assignment_changed();
}

void Membership::leave(const std::string& why) {
  if (!said_) say_(false, name_ + " begins anew: " + why);
  said_ = true;
  next_join_ = clock_.monotonic() + back_off_;
  back_off_ = std::min(longest_back_off, back_off_ * 2);
  close();
}

void Membership::close() {
  has_assignment_.store(false, std::memory_order_relaxed);
  set(nullptr);
}

void Membership::wait(Duration timeout) {
  if (member_) return member_->wait(timeout);
  clock_.sleep(std::min(timeout, Duration{50}));
}

void Membership::wake() {
  const std::lock_guard lock(wake_mutex_);
  if (awake_ != nullptr) awake_->wake();
}

}  // namespace tocsin
