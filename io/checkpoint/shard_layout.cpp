#include "io/checkpoint/shard_layout.h"

#include "core/error.h"
#include "io/checkpoint/file_image.h"
#include "io/checkpoint/hdf5.h"
#include "io/checkpoint/image_driver.h"
#include "io/file.h"

namespace trireme::io {
namespace {

/// Allocated at once and never filled, so the offset is known.
std::uint64_t create_dataset(const hdf5::Handle& file, const StoredSlice& slice, const std::string& where) {
  const std::string doing = "creating " + slice.dataset + " in " + where;
  const hdf5::Handle layout = hdf5::dataset_creation();
  hdf5::check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), doing);
  hdf5::check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), doing);
  hdf5::check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), doing);
  hdf5::make_groups(file, slice.dataset);
  const hdf5::Handle type = hdf5::file_type(slice.dtype);
  const hdf5::Handle space = hdf5::simple_space({slice.count});
  const hdf5::Handle dataset(H5Dcreate2(file.get(), slice.dataset.c_str(), type.get(), space.get(),
                                        H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                             H5Dclose, doing);
  if (slice.count == 0) return 0;
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) hdf5::fail_with_stack(doing);
  return offset;
}

StoredSlice planned(const TensorSlice& slice) {
  const std::uint64_t whole = elements_of(slice.shape);
  require(slice.begin <= whole && slice.count() <= whole - slice.begin,
          "slice [{}, {} + {}) of {}, which has {} elements", slice.begin, slice.begin, slice.count(),
          slice.name, whole);
  StoredSlice stored{slice.name, slice.dtype, slice.shape, slice.begin, slice.count(), {}, 0, {}};
  stored.dataset = slice.name + "@" + std::to_string(slice.begin);
  stored.digests.resize((slice.bytes.size() + digest_chunk - 1) / digest_chunk);
  return stored;
}

}  // namespace

ShardLayout lay_out_shard(const std::string& name, const std::vector<TensorSlice>& slices) {
  ShardLayout layout;
  FileImage image;
  {
    const hdf5::Turn turn;
    const hdf5::ImageDriver driver(image);
    hdf5::Handle file = hdf5::create_file(driver, name);
    for (const TensorSlice& slice : slices) {
      StoredSlice& stored = layout.slices.emplace_back(planned(slice));
      stored.offset = create_dataset(file, stored, name);
    }
    file.close("closing " + name);
  }
  layout.bytes = (image.bytes() + direct_alignment - 1) / direct_alignment * direct_alignment;
  layout.pieces = pieces_of(layout.slices, layout.bytes, name);
  for (const FilePiece& piece : layout.pieces) {
    if (piece.slice != FilePiece::between) continue;
    const std::size_t before = layout.between.size();
    layout.between.resize(before + piece.bytes);
    image.read(piece.offset, std::span(layout.between).subspan(before, piece.bytes));
  }
  return layout;
}

}  // namespace trireme::io
