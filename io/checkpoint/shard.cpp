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

/// The file's bytes from front to back, in blocks.
class ShardImage {
 public:
  ShardImage(const ShardLayout& layout, const std::vector<TensorSlice>& slices)
      : layout_(layout), slices_(slices), piece_(layout.pieces.begin()) {}

  struct Block {
    std::span<const std::byte> bytes;
    /// Those that begin in the block.
    std::span<const FilePiece> pieces;
  };
  /// The next bytes: where they lie, when a direct write can take them from there, otherwise in `memory`.
  Block next(std::span<std::byte> memory) {
    const auto first = used_ == 0 ? piece_ : piece_ + 1;
    const std::span<const std::byte> here = without_copying(memory.size());
    if (here.empty()) {
      for (std::size_t done = 0; done < memory.size();) {
        const std::span<const std::byte> source = current();
        const std::size_t count = std::min(memory.size() - done, source.size() - used_);
        std::memcpy(memory.data() + done, source.data() + used_, count);
        done += count;
        pass(count);
      }
    } else {
      for (std::size_t done = 0; done < here.size();) {
        const std::size_t count = std::min(here.size() - done, piece_->bytes - used_);
        done += count;
        pass(count);
      }
    }
    const auto last = used_ == 0 ? piece_ : piece_ + 1;
    return {here.empty() ? std::span<const std::byte>(memory) : here, {first, std::max(first, last)}};
  }

 private:
  std::span<const std::byte> current() const {
    if (piece_->slice == FilePiece::between)
      return std::span<const std::byte>(layout_.between).subspan(between_, piece_->bytes);
    return slices_[piece_->slice].bytes.subspan(piece_->at, piece_->bytes);
  }
  std::span<const std::byte> without_copying(std::size_t bytes) const {
    if (piece_->slice == FilePiece::between) return {};
    const auto rest = slices_[piece_->slice].bytes.subspan(piece_->at + used_);
    const bool aligned = reinterpret_cast<std::uintptr_t>(rest.data()) % direct_alignment == 0;
    return aligned && rest.size() >= bytes ? rest.first(bytes) : std::span<const std::byte>();
  }
  void pass(std::size_t bytes) {
    used_ += bytes;
    if (used_ < piece_->bytes) return;
    if (piece_->slice == FilePiece::between) between_ += piece_->bytes;
    ++piece_, used_ = 0;
  }

  const ShardLayout& layout_;
  const std::vector<TensorSlice>& slices_;
  std::vector<FilePiece>::const_iterator piece_;
  std::size_t used_ = 0, between_ = 0;
};

void take_digests(std::span<const FilePiece> pieces, const std::vector<TensorSlice>& slices,
                  std::vector<StoredSlice>& stored) {
  for (const FilePiece& piece : pieces)
    if (piece.slice != FilePiece::between)
      stored[piece.slice].digests[piece.chunk()] =
          digest_of(slices[piece.slice].bytes.subspan(piece.at, piece.bytes));
}

/// Several blocks are under way: written and digested piece by piece on other threads, while this one takes
/// the digest of the whole, which must go from front to back. The digest of the file.
std::string write_image(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices) {
  ShardImage image(layout, slices);
  RunningDigest whole;
  std::array<Buffer, blocks_in_flight> memory;
  for (Buffer& each : memory) each = aligned_memory(std::min(block_bytes, layout.bytes));
  std::array<Lane, blocks_in_flight> writers{Lane("shard write 0"), Lane("shard write 1"),
                                             Lane("shard write 2")};
  std::array<Event, blocks_in_flight> written;
  written.fill(Event::already_set());
  std::size_t turn = 0;
  for (std::uint64_t at = 0; at < layout.bytes; at += block_bytes, turn = (turn + 1) % blocks_in_flight) {
    written[turn].wait();
    const std::size_t bytes = std::min(block_bytes, layout.bytes - at);
    const ShardImage::Block block = image.next(std::span(memory[turn].as<std::byte>(), bytes));
    written[turn] = writers[turn].post([&, at, block] {
      file.write(at, block.bytes);
      take_digests(block.pieces, slices, layout.slices);
    });
    whole.add(block.bytes);
  }
  for (const Event& event : written) event.wait();
  return whole.text();
}

bool is_sampled(std::size_t index, std::size_t count, std::size_t first) {
  constexpr std::size_t one_in = 32;
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
  // Others in each file, so that all places have their turn.
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
