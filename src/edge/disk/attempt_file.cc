#include "edge/disk/attempt_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <system_error>
#include <type_traits>

#include "base/hash.h"

namespace tocsin {

namespace {

constexpr std::uint64_t form = 0x31'54'54'41'53'43'4F'54;  // "TOCSATT1"
constexpr int most_processes = 64;                         // that share a folder
constexpr std::size_t most_partitions = 1'024;             // of source topics, ever read by one file's processes

std::string reason() {
  return std::generic_category().message(errno);
}

}  // namespace

struct AttemptFile::Layout {
  struct Entry {
    std::uint64_t partition = 0;  // a hash of topic and number; zero: not in use
    AttemptMark mark;
  };
  static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::is_standard_layout_v<AttemptMark>);

  std::uint64_t form = 0;
  std::array<Entry, most_partitions> entries;
};

Result<std::unique_ptr<AttemptFile>, std::string> AttemptFile::open(const std::string& folder) {
  for (int number = 0; number < most_processes; ++number) {
    const std::string path = folder + "/attempts." + std::to_string(number);
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return failure(path + ": " + reason());
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      ::close(file);
      continue;
    }
    // Room on the disk now: a store into a hole that can't be filled would end the process.
    const int error = posix_fallocate(file, 0, sizeof(Layout));
    if (error != 0) {
      ::close(file);
      return failure(path + ": " + std::generic_category().message(error));
    }
    void* const memory = mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
      const std::string why = reason();
      ::close(file);
      return failure(path + ": " + why);
    }
    auto* layout = static_cast<Layout*>(memory);
    if (layout->form != form) {
      layout = new (memory) Layout;
      layout->form = form;
    }
    for (Layout::Entry& entry : layout->entries) entry.mark.note_death();
    return success(std::unique_ptr<AttemptFile>(new AttemptFile(file, layout)));
  }
  return failure(folder + ": every file is held by another process");
}

AttemptFile::~AttemptFile() {
  munmap(layout_, sizeof(Layout));
  ::close(file_);
}

AttemptMark* AttemptFile::mark_of(const std::string& topic, std::int32_t partition) {
  const std::uint64_t wanted = mix(hash64(topic), static_cast<std::uint64_t>(partition)) | 1;
  const std::lock_guard lock(mutex_);
  for (Layout::Entry& entry : layout_->entries) {
    if (entry.partition == 0) entry.partition = wanted;
    if (entry.partition == wanted) return &entry.mark;
  }
  return nullptr;
}

}  // namespace tocsin
