// A file that somebody has read: what messages call it, and its text. The core opens no files.

#pragma once

#include <string>

namespace tocsin {

struct NamedText {
  std::string file;
  std::string text;
};

}  // namespace tocsin
