#include <cmath>
#include <functional>

#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/io/checkpoint_fixture.h"

namespace trireme::io {
namespace {

using trireme::testing::made_tensors;
using trireme::testing::MadeTensor;
using trireme::testing::save;
using trireme::testing::Scratch;

/// Reads a tensor as any HDF5 program would: through the master file alone.
std::vector<float> read_whole(const std::filesystem::path& master, const std::string& name) {
  const hid_t file = H5Fopen(master.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, name.c_str(), H5P_DEFAULT), space = H5Dget_space(dataset);
  std::vector<float> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  EXPECT_GE(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Sclose(space);
  H5Dclose(dataset);
  H5Fclose(file);
  return values;
}

std::vector<float> expected(const MadeTensor& tensor) {
  std::vector<float> values(elements_of(tensor.shape));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype == DType::f32) {
      std::memcpy(&values[i], tensor.bytes.data() + i * 4, 4);
    } else if (tensor.dtype == DType::bf16) {
      BFloat16 half;
      std::memcpy(&half.bits, tensor.bytes.data() + i * 2, 2);
      values[i] = static_cast<float>(half);
    } else {
      std::int64_t whole = 0;
      std::memcpy(&whole, tensor.bytes.data() + i * 8, 8);
      values[i] = static_cast<float>(whole);
    }
  }
  return values;
}

TEST(MasterFile, ShowsEveryTensorWholeAcrossShards) {
  for (const int ranks : {1, 3}) {
    Scratch scratch;
    save(scratch.path(), "step-00000001", ranks, 4);
    for (const MadeTensor& tensor : made_tensors(4))
      EXPECT_EQ(read_whole(scratch / "step-00000001/checkpoint.h5", tensor.name), expected(tensor))
          << tensor.name;
  }
}

TEST(MasterFile, ShowsNaNWhereAShardIsMissingAndCompleteTellsSo) {
  Scratch scratch;
  save(scratch.path(), "step-00000001", 3, 4);
  std::filesystem::remove(scratch / "step-00000001/shard-00001.h5");
  const auto values = read_whole(scratch / "step-00000001/checkpoint.h5", "model/cube");
  EXPECT_FALSE(std::isnan(values.front()));
  EXPECT_TRUE(std::isnan(values[values.size() / 2]));
  const std::string master = trireme::testing::read_file(scratch / "step-00000001/checkpoint.h5");
  EXPECT_NE(master.find(R"({"name":"shard-00001.h5","bytes":)"), std::string::npos);
}

TEST(MasterFile, HidesACutOrUnreadableShardAsFillValuesWhichOurReaderDoesNot) {
  const auto harms = std::vector<std::function<void(const std::filesystem::path&)>>{
      [](const auto& shard) { std::filesystem::resize_file(shard, 3000); },
      [](const auto& shard) {
        std::filesystem::remove(shard);
        std::filesystem::create_symlink(shard.filename(), shard);
      }};
  for (const auto& harm : harms) {
    Scratch scratch;
    save(scratch.path(), "step-00000001", 2, 4);
    harm(scratch / "step-00000001/shard-00001.h5");
    const auto values = read_whole(scratch / "step-00000001/checkpoint.h5", "model/large");
    EXPECT_TRUE(std::isnan(values.back()));
    EXPECT_THROW(Checkpoint(scratch / "step-00000001"), Error);
  }
}

TEST(MasterFile, FewDescriptorsMakeHdf5ShowFillValues) {
  Scratch scratch;
  save(scratch.path(), "step-00000001", 8, 4);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next_free = dup(0);
  close(next_free);
  const rlimit few{static_cast<rlim_t>(next_free + 3), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto values = read_whole(scratch / "step-00000001/checkpoint.h5", "model/large");
  const MadeTensor large = made_tensors(4).back();
  std::vector<std::byte> ours(large.bytes.size());
  Checkpoint(scratch / "step-00000001").read("model/large", 0, ours);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(std::isnan(values.back()));
  EXPECT_TRUE(ours == large.bytes);
}

}  // namespace
}  // namespace trireme::io
