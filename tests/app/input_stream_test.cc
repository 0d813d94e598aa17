#include "app/input_stream.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace tocsin {
namespace input_stream_test {

class InputStreams : public ::testing::Test {
 protected:
  InputStreams() { std::filesystem::create_directory(folder_); }
  ~InputStreams() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string file_of(const std::string& text) const {
    std::ofstream(path("file"), std::ios::binary) << text;
    return path("file");
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("tocsin-input-" + std::to_string(::getpid()));
};

TEST_F(InputStreams, LinesAreWholeWhereverTheReadsEnd) {
  std::string text;
  for (std::size_t i = 0; text.size() < 1'000'000; ++i) text += std::string(i * 37 % 5'000, 'x') + "\n";
  InputStream stream(file_of(text + "the last has no end"));
  std::string line, again;
  while (std::getline(stream, line)) again += line + "\n";
  EXPECT_EQ(again, text + "the last has no end\n");
  EXPECT_TRUE(stream.eof());
}

TEST_F(InputStreams, WhatIsAheadIsReadNext) {
  InputStream stream(file_of("one\ntwo\n"));
  EXPECT_EQ(stream.ahead(), "one\ntwo\n");
  std::string line;
  ASSERT_TRUE(std::getline(stream, line));
  EXPECT_EQ(line, "one");
  EXPECT_EQ(stream.ahead(), "two\n");
  ASSERT_TRUE(std::getline(stream, line));
  EXPECT_EQ(stream.ahead(), "");
  EXPECT_TRUE(stream);
  EXPECT_FALSE(std::getline(stream, line));
}

TEST_F(InputStreams, WhatIsNotThereFails) {
  EXPECT_FALSE(InputStream(path("missing")));
}

TEST_F(InputStreams, OfAPipeALineIsThereAsSoonAsItIsWritten) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::ofstream writer;
  std::thread opener([&] { writer.open(path("pipe")); });  // which waits for a reader, as that for a writer
  InputStream stream(path("pipe"));
  opener.join();
  writer << "at once\n" << std::flush;
  std::string line;
  EXPECT_TRUE(std::getline(stream, line));
  EXPECT_EQ(line, "at once");
}

}  // namespace input_stream_test
}  // namespace tocsin
