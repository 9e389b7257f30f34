#include "io/checkpoint/shard.h"

#include "io/checkpoint/shard_layout.h"
#include "io/checkpoint/shard_writer.h"
#include "io/file.h"

namespace trireme::io {

ShardRecord write_shard(const std::filesystem::path& path, const std::vector<TensorSlice>& slices,
                        const ShardOptions& options) {
  ShardLayout layout = lay_out_shard(path.string(), slices);
  File file = File::create_for_direct_writing(path);
  file.reserve(layout.bytes);
  ShardRecord record;
  record.file = {path.filename().string(), layout.bytes, write_pieces(file, layout, slices, options.reread)};
  record.slices = std::move(layout.slices);
  return record;
}

}  // namespace trireme::io
