// A vendor's own JSON or MessagePack to a span batch.

#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "core/event/dialect.h"
#include "core/event/native_decoder.h"
#include "core/event/span_batch.h"
#include "core/event/upload.h"

namespace tocsin {

class VendorDecoder {
 public:
  VendorDecoder();
  ~VendorDecoder();
  VendorDecoder(const VendorDecoder&) = delete;
  VendorDecoder& operator=(const VendorDecoder&) = delete;

  // Of the events of a batch of Langfuse's, in order. Of the record that was decoded last.
  std::vector<std::string> ids_of_batch() const;

  void know(std::shared_ptr<const DialectIndex> names);
  // A record that says nothing of where it was posted: JSON in any vendor's form. The batch stays valid until the
  // next call. unknown_form: it is none of them.
  [[nodiscard]] Result<const SpanBatch*, DecodeError> decode(std::string_view record);
  // An uncompressed body of a vendor's door, which must live as long as the batch.
  [[nodiscard]] Result<const SpanBatch*, DecodeError> decode(Door door, const Upload& upload, std::string_view body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
