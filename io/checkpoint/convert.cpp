#include "io/checkpoint/convert.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "core/error.h"
#include "io/aligned_memory.h"
#include "io/checkpoint/save.h"
#include "io/checkpoint/shard.h"
#include "io/checkpoint/shard_layout.h"
#include "io/disk_work.h"
#include "io/safetensors_writer.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t window_bytes = std::uint64_t{4} << 20;

/// Gives the elements of a slice to `use`, a few MiB at a time.
template <typename Use>
void in_windows(const Checkpoint& checkpoint, const std::string& name, DType dtype, std::uint64_t elements,
                Use use) {
  const std::uint64_t size = size_of(dtype), window = window_bytes / size;
  std::vector<std::byte> memory(std::min(window, elements) * size);
  for (std::uint64_t first = 0; first < elements; first += window) {
    const auto part = std::span(memory).first(std::min(window, elements - first) * size);
    checkpoint.read(name, first, part);
    use(first, part);
  }
}

fs::path unfinished(const fs::path& file) {
  fs::path temporary = file;
  temporary += ".tmp";
  return temporary;
}

}  // namespace

void write_single_hdf5(const Checkpoint& checkpoint, const fs::path& path) {
  std::vector<StoredSlice> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors())
    tensors.push_back(planned_slice(name, tensor.dtype, tensor.shape, 0, elements_of(tensor.shape)));
  const ShardLayout layout =
      lay_out_whole(path.string(), std::move(tensors), boost::json::serialize(checkpoint.state()));
  File file = File::create(unfinished(path));
  file.reserve(layout.bytes);
  std::size_t between = 0;
  for (const FilePiece& piece : layout.pieces) {
    if (piece.slice != FilePiece::between) continue;
    file.write(piece.offset, std::span(layout.between).subspan(between, piece.bytes));
    between += piece.bytes;
  }
  for (const StoredSlice& tensor : layout.slices)
    in_windows(checkpoint, tensor.name, tensor.dtype, tensor.count,
               [&](std::uint64_t first, std::span<const std::byte> part) {
                 file.write(tensor.offset + first * size_of(tensor.dtype), part);
               });
  file.sync();
  on_disk("renaming " + unfinished(path).string(),
          [&](std::error_code& status) { fs::rename(unfinished(path), path, status); });
  sync_folder(path.parent_path());
}

void write_single_safetensors(const Checkpoint& checkpoint, const fs::path& path) {
  std::vector<TensorShape> shapes;
  for (const auto& [name, tensor] : checkpoint.tensors())
    shapes.push_back({name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(path, shapes,
                           {{"format", "pt"}, {"state", boost::json::serialize(checkpoint.state())}});
  for (const TensorShape& shape : shapes)
    in_windows(
        checkpoint, shape.name, shape.dtype, elements_of(shape.shape),
        [&](std::uint64_t first, std::span<const std::byte> part) { writer.write(shape.name, first, part); });
  writer.commit();
}

fs::path write_recut(const Checkpoint& checkpoint, const fs::path& checkpoints, int files) {
  require(files > 0, "a checkpoint of {} files", files);
  struct Cut {
    std::string_view name;
    const Checkpoint::Tensor* tensor;
    std::uint64_t begin, bytes;
  };
  std::uint64_t all = 0;
  for (const auto& [name, tensor] : checkpoint.tensors())
    all += elements_of(tensor.shape) * size_of(tensor.dtype);
  const fs::path temporary = begin_save(checkpoints, checkpoint.folder().filename().string(), all);
  std::vector<ShardRecord> records;
  const auto parts = static_cast<std::uint64_t>(files);
  for (std::uint64_t part = 0; part < parts; ++part) {
    std::vector<Cut> cuts;
    std::uint64_t room = 0;
    const auto whole_pages = [](std::uint64_t bytes) {
      return (bytes + direct_alignment - 1) / direct_alignment * direct_alignment;
    };
    for (const auto& [name, tensor] : checkpoint.tensors()) {
      const std::uint64_t count = elements_of(tensor.shape);
      const std::uint64_t begin = count / parts * part + std::min(part, count % parts);
      const std::uint64_t mine = count / parts + (part < count % parts ? 1 : 0);
      // A tensor without elements has its shape in the first file.
      if (mine == 0 && (count > 0 || part > 0)) continue;
      cuts.push_back({name, &tensor, begin, mine * size_of(tensor.dtype)});
      room += whole_pages(cuts.back().bytes);
    }
    const Buffer memory = aligned_memory(room);
    std::byte* next = memory.as<std::byte>();
    std::vector<Wanted> wanted;
    std::vector<TensorSlice> slices;
    for (const Cut& cut : cuts) {
      wanted.push_back({cut.name, cut.begin, std::span(next, cut.bytes)});
      slices.push_back({std::string(cut.name), cut.tensor->dtype, cut.tensor->shape, cut.begin,
                        std::span<const std::byte>(next, cut.bytes)});
      next += whole_pages(cut.bytes);
    }
    checkpoint.read(wanted);
    records.push_back(write_shard(temporary / shard_name(static_cast<int>(part)), slices));
  }
  return commit_save(temporary, std::move(records), checkpoint.state());
}

}  // namespace trireme::io
