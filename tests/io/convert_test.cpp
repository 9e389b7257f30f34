#include "io/checkpoint/convert.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include "io/checkpoint/difference.h"
#include "io/safetensors.h"
#include "tests/io/checkpoint_fixture.h"

namespace trireme::io {
namespace {

using trireme::testing::made_tensors;
using trireme::testing::MadeTensor;
using trireme::testing::save;
using trireme::testing::save_tensors;
using trireme::testing::Scratch;

class Converted : public ::testing::Test {
 protected:
  Converted() {
    save(scratch.path(), "step-00000001", 3, 7);
    checkpoint.emplace(scratch / "step-00000001");
  }
  Scratch scratch;
  std::optional<Checkpoint> checkpoint;
};

/// Through HDF5 itself, in the file's own type.
std::vector<std::byte> raw_dataset(const std::filesystem::path& path, const MadeTensor& tensor) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, tensor.name.c_str(), H5P_DEFAULT), space = H5Dget_space(dataset),
              type = H5Dget_type(dataset);
  std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  std::vector<hsize_t> wanted;
  for (const std::int64_t extent : tensor.shape) wanted.push_back(static_cast<hsize_t>(extent));
  if (wanted.empty()) wanted.push_back(1);
  EXPECT_EQ(extents, wanted) << tensor.name;
  std::vector<std::byte> bytes(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)) *
                               H5Tget_size(type));
  EXPECT_GE(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), 0);
  H5Tclose(type), H5Sclose(space), H5Dclose(dataset), H5Fclose(file);
  return bytes;
}

TEST_F(Converted, OneHdf5FileHoldsEveryTensorInItsShape) {
  write_single_hdf5(*checkpoint, scratch / "whole.h5");
  for (const MadeTensor& tensor : made_tensors(7))
    EXPECT_TRUE(raw_dataset(scratch / "whole.h5", tensor) == tensor.bytes) << tensor.name;
  EXPECT_FALSE(std::filesystem::exists(scratch / "whole.h5.tmp"));
}

TEST_F(Converted, OneSafetensorsFileHoldsEveryTensorAndTheState) {
  write_single_safetensors(*checkpoint, scratch / "whole.safetensors");
  const SafetensorsFile file(scratch / "whole.safetensors");
  for (const MadeTensor& tensor : made_tensors(7)) {
    std::vector<std::byte> bytes(tensor.bytes.size());
    EXPECT_EQ(file.at(tensor.name).shape, tensor.shape);
    file.read(file.at(tensor.name), 0, bytes);
    EXPECT_TRUE(bytes == tensor.bytes) << tensor.name;
  }
  EXPECT_EQ(file.metadata().at("state"), R"({"step":7})");
}

TEST_F(Converted, AnotherNumberOfFilesHoldsTheSame) {
  for (const int files : {1, 2, 7}) {
    Scratch other;
    const Checkpoint recut(write_recut(*checkpoint, other.path(), files));
    recut.verify();
    EXPECT_EQ(recut.manifest().shards.size(), static_cast<std::size_t>(files));
    EXPECT_EQ(recut.state(), checkpoint->state());
    const Comparison comparison = compare(*checkpoint, recut);
    EXPECT_TRUE(comparison.differences.empty());
    EXPECT_EQ(comparison.equal, made_tensors(7).size());
    EXPECT_GT(comparison.bytes_read, 0u);
  }
}

TEST_F(Converted, EqualDigestsAreNotRead) {
  Scratch other;
  save(other.path(), "step-00000001", 3, 7);
  const Comparison comparison = compare(*checkpoint, Checkpoint(other / "step-00000001"));
  EXPECT_EQ(comparison.equal, made_tensors(7).size());
  EXPECT_EQ(comparison.bytes_read, 0u);
}

TEST_F(Converted, EachKindOfDifferenceIsFound) {
  Scratch other;
  std::vector<MadeTensor> tensors = made_tensors(7);
  const float value = 1000;
  std::memcpy(tensors[0].bytes.data() + 4 * 100, &value, 4);
  std::memcpy(tensors[0].bytes.data() + 4 * 300, &value, 4);
  float before = 0;
  std::memcpy(&before, made_tensors(7)[0].bytes.data() + 4 * 100, 4);
  float before_too = 0;
  std::memcpy(&before_too, made_tensors(7)[0].bytes.data() + 4 * 300, 4);
  tensors[1] = MadeTensor("model/norm.weight", DType::f32, {5}, 8);
  tensors[2].name = "model/sphere";
  save_tensors(other.path(), "step-00000001", 2, 7, tensors);
  const Comparison comparison = compare(*checkpoint, Checkpoint(other / "step-00000001"));
  ASSERT_EQ(comparison.differences.size(), 4u);
  EXPECT_EQ(comparison.equal, 2u);
  for (const Difference& difference : comparison.differences) {
    if (difference.kind == Difference::Kind::values) {
      EXPECT_EQ(difference.tensor, tensors[0].name);
      EXPECT_EQ(difference.elements, 2u);
      EXPECT_EQ(difference.first, 100u);
      EXPECT_EQ(difference.largest, std::max(value - before, value - before_too));
    } else if (difference.kind == Difference::Kind::only_in_first) {
      EXPECT_EQ(difference.tensor, "model/cube");
    } else if (difference.kind == Difference::Kind::only_in_second) {
      EXPECT_EQ(difference.tensor, "model/sphere");
    } else {
      EXPECT_EQ(difference.tensor, "model/norm.weight");
    }
  }
}

}  // namespace
}  // namespace trireme::io
