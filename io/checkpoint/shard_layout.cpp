#include "io/checkpoint/shard_layout.h"

#include "core/error.h"
#include "io/checkpoint/file_image.h"
#include "io/checkpoint/hdf5.h"
#include "io/checkpoint/image_driver.h"
#include "io/file.h"

namespace trireme::io {
namespace {

/// What HDF5 itself wrote into the image around the slices.
void take_between(ShardLayout& layout, const FileImage& image, const std::string& name) {
  layout.bytes = (image.bytes() + direct_alignment - 1) / direct_alignment * direct_alignment;
  layout.pieces = pieces_of(layout.slices, layout.bytes, name);
  for (const FilePiece& piece : layout.pieces) {
    if (piece.slice != FilePiece::between) continue;
    const std::size_t before = layout.between.size();
    layout.between.resize(before + piece.bytes);
    image.read(piece.offset, std::span(layout.between).subspan(before, piece.bytes));
  }
}

template <typename Fill>
ShardLayout lay_out(const std::string& name, std::vector<StoredSlice> slices, hdf5::Pages pages, Fill fill) {
  ShardLayout layout;
  layout.slices = std::move(slices);
  FileImage image;
  {
    const hdf5::Turn turn;
    const hdf5::ImageDriver driver(image);
    hdf5::Handle file = hdf5::create_file(driver, name, pages);
    fill(file, layout.slices);
    file.close("closing " + name);
  }
  take_between(layout, image, name);
  return layout;
}

}  // namespace

StoredSlice planned_slice(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape,
                          std::uint64_t begin, std::uint64_t count) {
  const std::uint64_t whole = elements_of(shape);
  require(begin <= whole && count <= whole - begin, "slice [{}, {} + {}) of {}, which has {} elements", begin,
          begin, count, name, whole);
  StoredSlice stored{name, dtype, shape, begin, count, name + "@" + std::to_string(begin), 0, {}};
  stored.digests.resize((stored.bytes() + digest_chunk - 1) / digest_chunk);
  return stored;
}

ShardLayout lay_out_planned(const std::string& name, std::vector<StoredSlice> slices, bool several_writers) {
  const auto pages = several_writers ? hdf5::Pages::for_all : hdf5::Pages::for_large;
  return lay_out(name, std::move(slices), pages,
                 [](const hdf5::Handle& file, std::vector<StoredSlice>& planned) {
                   for (StoredSlice& slice : planned)
                     slice.offset = hdf5::create_contiguous(file, slice.dataset, slice.dtype, {slice.count});
                 });
}

ShardLayout lay_out_shard(const std::string& name, const std::vector<TensorSlice>& slices) {
  std::vector<StoredSlice> planned;
  for (const TensorSlice& slice : slices)
    planned.push_back(planned_slice(slice.name, slice.dtype, slice.shape, slice.begin, slice.count()));
  return lay_out_planned(name, std::move(planned), false);
}

ShardLayout lay_out_whole(const std::string& name, std::vector<StoredSlice> tensors,
                          const std::string& state) {
  return lay_out(name, std::move(tensors), hdf5::Pages::for_large,
                 [&](const hdf5::Handle& file, std::vector<StoredSlice>& planned) {
                   for (StoredSlice& tensor : planned) {
                     std::vector<hsize_t> extents(tensor.shape.begin(), tensor.shape.end());
                     if (extents.empty()) extents = {1};
                     tensor.dataset = tensor.name;
                     tensor.offset = hdf5::create_contiguous(file, tensor.dataset, tensor.dtype, extents);
                   }
                   hdf5::write_attribute(file, "state", state);
                 });
}

}  // namespace trireme::io
