// Spans made of a vendor's tree. Its members become attributes by their paths, with the vendor's name before them:
// "langsmith/extra.metadata.session_id". Those that the vendor's table knows stand for themselves; every other text
// is a part of the member at the top, so that all of it is scanned and has that member's place.

#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "core/event/dialect.h"
#include "core/event/span_batch.h"
#include "core/event/vendors/tree.h"

namespace tocsin::vendor {

class SpanWriter {
 public:
  void know(std::shared_ptr<const DialectIndex> names) { index_ = std::move(names); }
  // `vendor` empty: names stay as they are. Writes to `batch`, whose texts are views into the trees, which must live
  // as long, or into this.
  void begin(SpanBatch& batch, std::string_view vendor);
  // More attributes or spans came than a record may have.
  bool is_over_limit() const { return is_over_limit_; }

  // Between these two the attributes of one span are put.
  void open(Span span);
  void close();

  // One attribute by its path. Null and containers: none.
  void put(std::string_view path, const Tree& value);
  void put_text(std::string_view path, std::string_view text);
  // A member with all that is in it.
  void put_all(std::string_view path, const Tree& value);
  // An event of the open span.
  void put_event(std::string_view name, std::int64_t time_ns);

  // A text or a tree that stays as long as the batch.
  std::string_view keep(std::string text);
  const Tree& keep(Tree tree);

 private:
  void add(std::string_view name, const Tree& value, bool is_part);
  void walk(std::string& path, std::string_view key, const Tree& value, int level);
  std::string_view name_of(std::string_view path);

  std::shared_ptr<const DialectIndex> index_ = DialectIndex::shipped();
  SpanBatch* batch_ = nullptr;
  std::string vendor_;
  Span span_;
  std::string_view head_;  // the member whose parts are being put
  bool head_is_last_ = false;
  bool is_over_limit_ = false;
  std::deque<std::string> texts_;
  std::deque<Tree> trees_;
};

}  // namespace tocsin::vendor
