#include "io/checkpoint/shard_writer.h"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "core/error.h"
#include "core/lane.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/shard_blocks.h"
#include "io/read_ahead.h"

namespace trireme::io {
namespace {

constexpr std::size_t writes_in_flight = 4, blocks_ahead = 2 * writes_in_flight;

bool is_sampled(std::size_t index, std::size_t count, std::size_t first) {
  constexpr std::size_t one_in = 64;
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

/// A piece that is read back, and what it must hold where it lies between slices.
struct Chosen {
  const FilePiece* piece;
  std::span<const std::byte> between;
};

std::vector<Chosen> chosen_pieces(const std::filesystem::path& path, const ShardLayout& layout, Reread much) {
  // Others in each file, so that all places have their turn.
  const std::size_t first = std::hash<std::string>{}(path.string()), count = layout.pieces.size();
  std::vector<Chosen> chosen;
  std::size_t between = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const FilePiece& piece = layout.pieces[i];
    if (much == Reread::whole || is_sampled(i, count, first))
      chosen.push_back({&piece, std::span(layout.between).subspan(between)});
    if (piece.slice == FilePiece::between) between += piece.bytes;
  }
  return chosen;
}

void compare_all(const std::filesystem::path& path, const ShardLayout& layout,
                 std::span<const Chosen> chosen) {
  std::vector<Extent> extents;
  for (const Chosen& each : chosen) extents.push_back({each.piece->offset, each.piece->bytes});
  ReadAhead ahead(path, std::move(extents));
  for (const Chosen& each : chosen) compare(path.string(), *each.piece, layout, each.between, ahead.next());
}

/// Reads pieces back once all lie on the disk: beside writes they would take longer. A few small ones take
/// the time of their way there and back, so more of them are under way than of a whole file's.
void compare_with_disk(const std::filesystem::path& path, const ShardLayout& layout, Reread much) {
  const std::vector<Chosen> chosen = chosen_pieces(path, layout, much);
  const std::size_t readers = much == Reread::whole ? 1 : 3, each = (chosen.size() + readers - 1) / readers;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<Event> compared;
  for (std::size_t at = 0; at < chosen.size(); at += each) {
    const auto part = std::span(chosen).subspan(at, std::min(each, chosen.size() - at));
    lanes.push_back(std::make_unique<Lane>("shard check"));
    compared.push_back(lanes.back()->post([&path, &layout, part] { compare_all(path, layout, part); }));
  }
  for (const Event& event : compared) event.wait();
}

/// Of each piece of a slice and of the whole, from front to back, of the bytes that are written.
class Digests {
 public:
  explicit Digests(ShardLayout& layout) : layout_(layout) {}

  void add(std::span<const std::byte> bytes) {
    // Both look at bytes while they are in the processor's cache.
    constexpr std::size_t in_cache = std::size_t{256} << 10;
    while (!bytes.empty()) {
      const FilePiece& piece = layout_.pieces[piece_];
      const auto part = bytes.first(std::min({bytes.size(), piece.bytes - used_, in_cache}));
      whole_.add(part);
      if (piece.slice != FilePiece::between) of_piece_.add(part);
      bytes = bytes.subspan(part.size()), used_ += part.size();
      if (used_ == piece.bytes) end_of(piece);
    }
  }
  std::string whole() const { return whole_.text(); }

 private:
  void end_of(const FilePiece& piece) {
    if (piece.slice != FilePiece::between)
      layout_.slices[piece.slice].digests[piece.chunk()] = of_piece_.take();
    ++piece_, used_ = 0;
  }

  ShardLayout& layout_;
  RunningDigest whole_, of_piece_;
  std::size_t piece_ = 0, used_ = 0;
};

/// Several blocks are under way on other threads, which do nothing else and always have another one waiting,
/// so that the disk is never idle while this one takes digests. The digest of the file.
std::string write_blocks(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices) {
  ShardBlocks blocks(layout, slices);
  Digests digests(layout);
  std::array<Buffer, blocks_ahead> memory;
  std::array<Event, blocks_ahead> written;
  written.fill(Event::already_set());
  std::array<std::unique_ptr<Lane>, writes_in_flight> writers;
  for (std::size_t turn = 0; !blocks.done(); turn = (turn + 1) % blocks_ahead) {
    std::unique_ptr<Lane>& writer = writers[turn % writes_in_flight];
    if (!writer) writer = std::make_unique<Lane>("shard write");
    written[turn].wait();
    const ShardBlocks::Block block = blocks.next(memory[turn]);
    written[turn] = writer->post([&file, block] { file.write(block.offset, block.bytes); });
    digests.add(block.bytes);
  }
  for (const Event& event : written) event.wait();
  return digests.whole();
}

}  // namespace

std::string write_pieces(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices,
                         Reread much) {
  std::string digest = write_blocks(file, layout, slices);
  // Where the page cache is in between, only what was synced and dropped from it comes from the disk.
  file.sync();
  file.drop_cache();
  compare_with_disk(file.path(), layout, much);
  return digest;
}

}  // namespace trireme::io
