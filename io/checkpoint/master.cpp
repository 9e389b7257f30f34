#include "io/checkpoint/master.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <limits>
#include <map>

#include "io/checkpoint/blocks.h"
#include "io/checkpoint/file_image.h"
#include "io/checkpoint/hdf5.h"
#include "io/checkpoint/image_driver.h"

namespace trireme::io {
namespace {

struct Part {
  const StoredFile* file;
  const StoredSlice* slice;
};

/// Readers find the shards beside the master, wherever the folder is moved.
void map_part(const hdf5::Handle& layout, const Part& part, const std::vector<std::uint64_t>& shape,
              const std::string& doing) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  for (const Block& block : blocks_of(shape, part.slice->begin, part.slice->count)) {
    const hdf5::Handle target = hdf5::simple_space(extents), source = hdf5::simple_space({part.slice->count});
    const std::vector<hsize_t> start(block.start.begin(), block.start.end()),
        count(block.count.begin(), block.count.end());
    const hsize_t first = block.first, elements = block.elements;
    hdf5::check(
        H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
        doing);
    hdf5::check(H5Sselect_hyperslab(source.get(), H5S_SELECT_SET, &first, nullptr, &elements, nullptr),
                doing);
    hdf5::check(H5Pset_virtual(layout.get(), target.get(), part.file->name.c_str(),
                               part.slice->dataset.c_str(), source.get()),
                doing);
  }
}

void set_fill(const hdf5::Handle& layout, DType dtype, const std::string& doing) {
  const bool floating =
      dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16 || dtype == DType::f16;
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  const std::int64_t all_ones = -1;
  hdf5::check(floating ? H5Pset_fill_value(layout.get(), H5T_NATIVE_FLOAT, &not_a_number)
                       : H5Pset_fill_value(layout.get(), H5T_NATIVE_INT64, &all_ones),
              doing);
}

void write_tensor(const hdf5::Handle& file, const std::string& name, const std::vector<Part>& parts) {
  const std::string doing = "describing tensor " + name;
  const StoredSlice& any = *parts[0].slice;
  std::vector<std::uint64_t> shape(any.shape.begin(), any.shape.end());
  if (shape.empty()) shape = {1};
  const hdf5::Handle layout = hdf5::dataset_creation();
  set_fill(layout, any.dtype, doing);
  if (elements_of(any.shape) > 0)
    for (const Part& part : parts)
      if (part.slice->count > 0) map_part(layout, part, shape, doing);
  hdf5::make_groups(file, name);
  const hdf5::Handle type = hdf5::file_type(any.dtype);
  const hdf5::Handle space = hdf5::simple_space({shape.begin(), shape.end()});
  const hdf5::Handle dataset(
      H5Dcreate2(file.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
      H5Dclose, doing);
}

void write_complete(const hdf5::Handle& file, const std::vector<ShardRecord>& shards) {
  boost::json::array files;
  for (const ShardRecord& shard : shards)
    files.push_back(boost::json::object{
        {"name", shard.file.name}, {"bytes", shard.file.bytes}, {"xxh3_128", shard.file.digest}});
  hdf5::write_attribute(file, "complete", boost::json::serialize(files));
}

}  // namespace

std::vector<std::byte> master_image(const std::vector<ShardRecord>& shards) {
  std::map<std::string, std::vector<Part>> tensors;
  for (const ShardRecord& shard : shards)
    for (const StoredSlice& slice : shard.slices) tensors[slice.name].push_back({&shard.file, &slice});
  FileImage image;
  const hdf5::Turn turn;
  const hdf5::ImageDriver driver(image);
  hdf5::Handle file = hdf5::create_file(driver, "the master file");
  for (const auto& [name, parts] : tensors) write_tensor(file, name, parts);
  write_complete(file, shards);
  file.close("closing the master file");
  return image.all();
}

}  // namespace trireme::io
