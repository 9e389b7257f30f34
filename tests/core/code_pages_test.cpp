#include "core/code_pages.h"

#include <array>
#include <cstdio>

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace trireme {
namespace {

constexpr std::size_t page = 4096, pages = 64;
/// In the program's file, and read only.
alignas(page) constexpr std::array<unsigned char, page* pages> constants = [] {
  std::array<unsigned char, page * pages> bytes{};
  for (std::size_t i = 0; i < pages; ++i) bytes[i * page] = static_cast<unsigned char>(i % 251 + 1);
  return bytes;
}();
int written = 1;

std::size_t sum_of_constants() {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < pages; ++i) {
    const volatile unsigned char& first = constants[i * page];
    sum += first;
  }
  return sum;
}

std::size_t resident_file_bytes() {
  std::FILE* statm = std::fopen("/proc/self/statm", "r");
  std::size_t size = 0, resident = 0, shared = 0;
  const int read = statm ? std::fscanf(statm, "%zu %zu %zu", &size, &resident, &shared) : 0;
  if (statm) std::fclose(statm);
  return read == 3 ? shared * page : 0;
}

TEST(CodePages, GoAndComeBackAsTheyWere) {
  const std::size_t sum = sum_of_constants(), before = resident_file_bytes();
  written = 2;
  EXPECT_GE(let_go_of_code_pages(), page * pages);
  EXPECT_LT(resident_file_bytes() + page * pages / 2, before);
  EXPECT_EQ(sum_of_constants(), sum);
  EXPECT_EQ(written, 2);
}

/// As communication libraries do that watch a process's memory.
TEST(CodePages, ChangedInstructionsStay) {
  auto* changed = const_cast<volatile unsigned char*>(&constants[7 * page]);
  void* const place = const_cast<unsigned char*>(&constants[7 * page]);
  const unsigned char before = *changed;
  ASSERT_EQ(mprotect(place, page, PROT_READ | PROT_WRITE), 0);
  *changed = 255;
  ASSERT_EQ(mprotect(place, page, PROT_READ), 0);
  EXPECT_GE(let_go_of_code_pages(), page * (pages - 1));
  EXPECT_EQ(*changed, 255);
  ASSERT_EQ(mprotect(place, page, PROT_READ | PROT_WRITE), 0);
  *changed = before;
  ASSERT_EQ(mprotect(place, page, PROT_READ), 0);
}

}  // namespace
}  // namespace trireme
