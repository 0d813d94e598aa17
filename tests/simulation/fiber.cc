#include "simulation/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

namespace tocsin::sim {

namespace {

constexpr std::size_t stack_bytes = 512 << 10;

// Stacks are taken again: mapping one costs more than a fiber's whole life.
std::vector<void*> free_stacks;

void* take_stack() {
  if (!free_stacks.empty()) {
    void* const stack = free_stacks.back();
    free_stacks.pop_back();
    return stack;
  }
  void* const stack =
      mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) std::abort();
  mprotect(stack, 4096, PROT_NONE);
  return stack;
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(take_stack()) {}

Fiber::~Fiber() {
  kill();
  free_stacks.push_back(stack_);
}

void Fiber::enter(unsigned low, unsigned high) {
  const auto address = static_cast<std::uintptr_t>(low) | static_cast<std::uintptr_t>(high) << 32;
  reinterpret_cast<Fiber*>(address)->run();
}

void Fiber::run() {
  try {
    body_();
  } catch (const Killed&) {
  }
  ended_ = true;
  swapcontext(&here_, &caller_);
}

void Fiber::resume() {
  if (!started_) {
    started_ = true;
    getcontext(&here_);
    here_.uc_stack.ss_sp = stack_;
    here_.uc_stack.ss_size = stack_bytes;
    here_.uc_link = nullptr;
    const auto address = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&here_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(address),
                static_cast<unsigned>(address >> 32));
  }
  swapcontext(&caller_, &here_);
}

void Fiber::suspend() {
  swapcontext(&here_, &caller_);
  if (killed_) throw Killed{};
}

void Fiber::kill() {
  if (!started_) ended_ = true;
  if (ended_) return;
  killed_ = true;
  resume();
  if (!ended_) std::abort();
}

}  // namespace tocsin::sim
