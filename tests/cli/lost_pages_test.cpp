#include "cli/lost_pages.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace trireme::cli {
namespace {

constexpr std::size_t page = 4096, pages = 4;

/// A mapped file whose pages can be taken away.
class MappedScratch {
 public:
  explicit MappedScratch(const std::filesystem::path& folder)
      : path_(folder / ("lost-pages-" + std::to_string(::getpid()))),
        file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)) {
    EXPECT_EQ(::ftruncate(file_, page * pages), 0);
    data_ = static_cast<volatile char*>(
        ::mmap(nullptr, page * pages, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0));
  }
  ~MappedScratch() {
    ::munmap(const_cast<char*>(data_), page * pages);
    ::close(file_);
    std::filesystem::remove(path_);
  }
  MappedScratch(const MappedScratch&) = delete;

  void lose() const {
    data_[page] = 1;
    if (::ftruncate(file_, 0) != 0) std::abort();
  }
  void touch() const { data_[page] = 2; }

 private:
  std::filesystem::path path_;
  int file_;
  volatile char* data_;
};

void lose_and_touch(const MappedScratch& scratch, int threads) {
  name_lost_pages();
  scratch.lose();
  std::vector<std::thread> lanes;
  for (int i = 0; i < threads; ++i) lanes.emplace_back([&] { scratch.touch(); });
  for (std::thread& lane : lanes) lane.join();
}

void note_and_end(int) {
  constexpr char words[] = "the former handler\n";
  if (::write(STDERR_FILENO, words, sizeof words - 1) < 0) std::abort();
  ::_exit(7);
}

class LostPages : public testing::Test {
 protected:
  LostPages() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(LostPages, OfADriveAreNamedWithTheirFileAndAskForAnotherStart) {
  const MappedScratch scratch(std::filesystem::temp_directory_path());
  EXPECT_EXIT(lose_and_touch(scratch, 1), testing::ExitedWithCode(75),
              "^error: a page of .*lost-pages-[0-9]* cannot be had: the drive .*last checkpoint\n$");
}

TEST_F(LostPages, OfManyLanesAreToldOnce) {
  const MappedScratch scratch(std::filesystem::temp_directory_path());
  EXPECT_EXIT(lose_and_touch(scratch, 8), testing::ExitedWithCode(75),
              "^error: a page of [^\n]*last checkpoint\n$");
}

TEST_F(LostPages, OfSharedMemoryAreAMatterOfConfiguration) {
  const MappedScratch scratch("/dev/shm");
  EXPECT_EXIT(lose_and_touch(scratch, 1), testing::ExitedWithCode(78), "/dev/shm is full; make it larger");
}

TEST_F(LostPages, OthersSignalsEndTheProcessAsBefore) {
  const auto sent = [] {
    name_lost_pages();
    ::raise(SIGBUS);
  };
  EXPECT_EXIT(sent(), testing::KilledBySignal(SIGBUS), "");
}

TEST_F(LostPages, OthersSignalsReachTheFormerHandler) {
  const auto sent = [] {
    std::signal(SIGBUS, note_and_end);
    name_lost_pages();
    ::raise(SIGBUS);
  };
  EXPECT_EXIT(sent(), testing::ExitedWithCode(7), "the former handler");
}

}  // namespace
}  // namespace trireme::cli
