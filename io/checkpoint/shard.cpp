#include "io/checkpoint/shard.h"

#include "core/error.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/hdf5.h"
#include "io/file.h"

namespace trireme::io {
namespace {

/// Allocated at once and never filled, so the offset is known and the file has its full length.
std::uint64_t create_dataset(const hdf5::Handle& file, const StoredSlice& slice, const std::string& where) {
  const std::string doing = "creating " + slice.dataset + " in " + where;
  const hdf5::Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, doing);
  hdf5::check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), doing);
  hdf5::check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), doing);
  hdf5::check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), doing);
  const hdf5::Handle links = hdf5::intermediate_groups(), type = hdf5::file_type(slice.dtype);
  const hdf5::Handle space = hdf5::simple_space({slice.count});
  const hdf5::Handle dataset(H5Dcreate2(file.get(), slice.dataset.c_str(), type.get(), space.get(),
                                        links.get(), layout.get(), H5P_DEFAULT),
                             H5Dclose, doing);
  if (slice.count == 0) return 0;
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) hdf5::fail_with_stack(doing);
  return offset;
}

StoredSlice plan(const TensorSlice& slice) {
  const std::uint64_t whole = elements_of(slice.shape);
  require(slice.begin <= whole && slice.count() <= whole - slice.begin,
          "slice [{}, {} + {}) of {}, which has {} elements", slice.begin, slice.begin, slice.count(),
          slice.name, whole);
  return {slice.name,
          slice.dtype,
          slice.shape,
          slice.begin,
          slice.count(),
          slice.name + "@" + std::to_string(slice.begin),
          0,
          chunk_digests(slice.bytes)};
}

void compare(const File& file, const StoredSlice& slice, std::vector<std::byte>& buffer) {
  const std::uint64_t bytes = slice.count * size_of(slice.dtype);
  for (std::uint64_t at = 0, chunk = 0; at < bytes; at += digest_chunk, ++chunk) {
    const std::span piece(buffer.data(), std::min(digest_chunk, bytes - at));
    file.read(slice.offset + at, piece);
    if (digest_of(piece) != slice.digests[chunk])
      fail(ExitCode::damaged, "{}: {} reads back differently from what was written, at byte {}",
           file.path().string(), slice.name, slice.offset + at);
  }
}

}  // namespace

ShardRecord write_shard(const std::filesystem::path& path, const std::vector<TensorSlice>& slices) {
  const hdf5::QuietErrors quiet;
  ShardRecord record;
  {
    hdf5::Handle file = hdf5::create_file(path);
    for (const TensorSlice& slice : slices) {
      StoredSlice& stored = record.slices.emplace_back(plan(slice));
      stored.offset = create_dataset(file, stored, path.string());
    }
    file.close("closing " + path.string());
  }
  File file = File::open_for_writing(path);
  for (std::size_t i = 0; i < slices.size(); ++i)
    if (!slices[i].bytes.empty()) file.write(record.slices[i].offset, slices[i].bytes);
  file.sync();
  std::vector<std::byte> buffer(digest_chunk);
  for (const StoredSlice& slice : record.slices) compare(file, slice, buffer);
  record.file = {path.filename().string(), file.size(), file_digest(file)};
  return record;
}

}  // namespace trireme::io
