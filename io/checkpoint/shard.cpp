#include "io/checkpoint/shard.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.h"
#include "core/lane.h"
#include "io/aligned_memory.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/shard_layout.h"
#include "io/file.h"
#include "io/read_ahead.h"

namespace trireme::io {
namespace {

constexpr std::uint64_t block_bytes = std::uint64_t{4} << 20;
constexpr std::size_t blocks_in_flight = 3;

/// The file's bytes from front to back. Digests are taken while the bytes are in the caches anyway.
class ShardImage {
 public:
  ShardImage(ShardLayout& layout, const std::vector<TensorSlice>& slices)
      : layout_(layout), slices_(slices), piece_(layout.pieces.begin()) {}

  void fill(std::span<std::byte> block) {
    for (std::size_t done = 0; done < block.size();) {
      const std::span<const std::byte> source = current();
      const std::size_t count = std::min(block.size() - done, source.size() - used_);
      std::memcpy(block.data() + done, source.data() + used_, count);
      done += count, used_ += count;
      if (used_ == source.size()) leave(source.size());
    }
    whole_.add(block);
  }
  std::string digest() const { return whole_.text(); }

 private:
  std::span<const std::byte> current() {
    if (piece_->slice == FilePiece::between)
      return std::span<const std::byte>(layout_.between).subspan(between_, piece_->bytes);
    const auto chunk = slices_[piece_->slice].bytes.subspan(piece_->at, piece_->bytes);
    if (used_ == 0) layout_.slices[piece_->slice].digests[piece_->chunk()] = digest_of(chunk);
    return chunk;
  }
  void leave(std::size_t bytes) {
    if (piece_->slice == FilePiece::between) between_ += bytes;
    ++piece_, used_ = 0;
  }

  ShardLayout& layout_;
  const std::vector<TensorSlice>& slices_;
  std::vector<FilePiece>::const_iterator piece_;
  std::size_t used_ = 0, between_ = 0;
  RunningDigest whole_;
};

/// Several writes are under way while the next block is put together.
std::string write_image(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices) {
  ShardImage image(layout, slices);
  const std::size_t most = std::min(block_bytes, layout.bytes);
  std::array<Buffer, blocks_in_flight> blocks;
  for (Buffer& block : blocks) block = aligned_memory(most);
  std::array<Lane, blocks_in_flight> writers{Lane("shard write 0"), Lane("shard write 1"),
                                             Lane("shard write 2")};
  std::array<Event, blocks_in_flight> written;
  written.fill(Event::already_set());
  std::size_t turn = 0;
  for (std::uint64_t at = 0; at < layout.bytes; at += block_bytes, turn = (turn + 1) % blocks_in_flight) {
    written[turn].wait();
    const std::span block(blocks[turn].as<std::byte>(), std::min(block_bytes, layout.bytes - at));
    image.fill(block);
    written[turn] = writers[turn].post([&file, at, block] { file.write(at, block); });
  }
  for (const Event& event : written) event.wait();
  return image.digest();
}

bool is_sampled(std::size_t index, std::size_t count, std::size_t first) {
  constexpr std::size_t one_in = 16;
  return index % one_in == first % one_in || index == 0 || index + 1 == count;
}

void compare(const std::string& path, const FilePiece& piece, const ShardLayout& layout,
             std::span<const std::byte> between, std::span<const std::byte> found) {
  if (piece.slice == FilePiece::between) {
    if (!std::equal(found.begin(), found.end(), between.begin()))
      fail(ExitCode::damaged, "{}: reads back differently from what was written, at byte {}", path,
           piece.offset);
    return;
  }
  const StoredSlice& slice = layout.slices[piece.slice];
  if (digest_of(found) != slice.digests[piece.chunk()])
    fail(ExitCode::damaged, "{}: {} reads back differently from what was written, at byte {}", path,
         slice.name, piece.offset);
}

void reread(const std::filesystem::path& path, const ShardLayout& layout, Reread much) {
  // Another sixteenth in each file, so that all places have their turn.
  const std::size_t first = std::hash<std::string>{}(path.string());
  std::vector<Extent> extents;
  std::vector<std::size_t> chosen, between;
  std::size_t before = 0;
  for (std::size_t i = 0; i < layout.pieces.size(); ++i) {
    const FilePiece& piece = layout.pieces[i];
    if (much == Reread::whole || is_sampled(i, layout.pieces.size(), first)) {
      extents.push_back({piece.offset, piece.bytes});
      chosen.push_back(i), between.push_back(before);
    }
    if (piece.slice == FilePiece::between) before += piece.bytes;
  }
  ReadAhead ahead(path, std::move(extents));
  for (std::size_t i = 0; i < chosen.size(); ++i)
    compare(path.string(), layout.pieces[chosen[i]], layout, std::span(layout.between).subspan(between[i]),
            ahead.next());
}

}  // namespace

ShardRecord write_shard(const std::filesystem::path& path, const std::vector<TensorSlice>& slices,
                        const ShardOptions& options) {
  ShardLayout layout = lay_out_shard(path.string(), slices);
  File file = File::create_for_direct_writing(path);
  file.reserve(layout.bytes);
  ShardRecord record;
  record.file = {path.filename().string(), layout.bytes, write_image(file, layout, slices)};
  file.sync();
  file.drop_cache();
  reread(path, layout, options.reread);
  record.slices = std::move(layout.slices);
  return record;
}

}  // namespace trireme::io
