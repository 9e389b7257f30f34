#include "io/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::Scratch;
using trireme::testing::write_file;

std::string npy(std::string header, const std::string& data) {
  header.resize(118, ' ');
  std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
  return bytes.append(header).append(data);
}

TEST(Npy, ReadsBothIntegerTypes) {
  Scratch scratch;
  const std::int32_t narrow[] = {5, -1, 7, 9, 11, 13};
  write_file(scratch / "a.npy", npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }",
                                    std::string(reinterpret_cast<const char*>(narrow), sizeof narrow)));
  const NpyFile file(scratch / "a.npy");
  EXPECT_EQ(file.shape(), (std::vector<std::int64_t>{2, 3}));
  std::vector<std::int64_t> out(3);
  file.read(1, out);
  EXPECT_EQ(out, (std::vector<std::int64_t>{-1, 7, 9}));
  const std::int64_t wide[] = {1, std::int64_t{1} << 40};
  write_file(scratch / "b.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}",
                                    std::string(reinterpret_cast<const char*>(wide), sizeof wide)));
  out.resize(1);
  NpyFile(scratch / "b.npy").read(1, out);
  EXPECT_EQ(out[0], std::int64_t{1} << 40);
  EXPECT_THROW(NpyFile(scratch / "b.npy").read(2, out), Error);
}

TEST(Npy, RefusesWhatIsNotTokens) {
  Scratch scratch;
  const auto path = scratch / "x.npy";
  const auto opening = [&] { NpyFile file(path); };
  write_file(path, npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", std::string(8, '\0')));
  EXPECT_THAT(message_of(ExitCode::configuration, opening), HasSubstr("not token ids"));
  write_file(path, npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2,)}", std::string(8, '\0')));
  EXPECT_THAT(message_of(ExitCode::configuration, opening), HasSubstr("Fortran"));
  write_file(path, npy("{'descr': '<i4', 'fortran_order': False, 'shape': (3,)}", std::string(8, '\0')));
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("asks for 3 elements, the file holds 2"));
  write_file(path, "hello, this is text");
  EXPECT_THAT(message_of(ExitCode::configuration, opening), HasSubstr("is not a .npy file"));
}

}  // namespace
}  // namespace trireme::io
