#include "io/checkpoint/shard_writer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/lane.h"
#include "io/aligned_memory.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/shard_blocks.h"
#include "io/read_ahead.h"

namespace trireme::io {
namespace {

constexpr std::size_t writes_in_flight = 4;

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

/// Reads pieces back from the disk.
class Rereader {
 public:
  Rereader(const std::filesystem::path& path, const ShardLayout& layout, Reread much)
      : path_(path), layout_(layout) {
    // Others in each file, so that all places have their turn.
    const std::size_t first = std::hash<std::string>{}(path.string());
    std::size_t between = 0;
    for (std::size_t i = 0; i < layout.pieces.size(); ++i) {
      const FilePiece& piece = layout.pieces[i];
      if (much == Reread::whole || is_sampled(i, layout.pieces.size(), first))
        chosen_.push_back({i, between});
      if (piece.slice == FilePiece::between) between += piece.bytes;
    }
  }

  /// Those pieces among the first `end` that were not compared yet; they lie on the disk.
  void compare_before(std::size_t end) {
    std::vector<Extent> extents;
    const std::size_t last = end_of(end);
    for (std::size_t i = next_; i < last; ++i) extents.push_back({piece(i).offset, piece(i).bytes});
    if (extents.empty()) return;
    ReadAhead ahead(path_, std::move(extents));
    for (; next_ < last; ++next_) compare_one(ahead.next());
  }
  /// The same while others write: one read at a time, so that the disk stays theirs.
  void compare_one_by_one(std::size_t end) {
    if (!file_) {
      file_ = File::open_for_direct_reading(path_);
      memory_ = aligned_memory(digest_chunk + 2 * direct_alignment);
    }
    for (const std::size_t last = end_of(end); next_ < last; ++next_) {
      const FilePiece& here = piece(next_);
      const std::uint64_t skipped = here.offset % direct_alignment, begin = here.offset - skipped;
      const std::uint64_t pages = (skipped + here.bytes + direct_alignment - 1) / direct_alignment;
      const std::span<std::byte> window(memory_.as<std::byte>(), pages * direct_alignment);
      file_->read(begin, window);
      compare_one(window.subspan(skipped, here.bytes));
    }
  }
  bool has_before(std::size_t end) const {
    return planned_ < chosen_.size() && chosen_[planned_].piece < end;
  }
  void plan_before(std::size_t end) {
    while (has_before(end)) ++planned_;
  }

 private:
  const FilePiece& piece(std::size_t chosen) const { return layout_.pieces[chosen_[chosen].piece]; }
  std::size_t end_of(std::size_t pieces) const {
    std::size_t last = next_;
    while (last < chosen_.size() && chosen_[last].piece < pieces) ++last;
    return last;
  }
  void compare_one(std::span<const std::byte> found) const {
    compare(path_.string(), piece(next_), layout_, std::span(layout_.between).subspan(chosen_[next_].between),
            found);
  }

  struct Chosen {
    std::size_t piece, between;  ///< and where the bytes between slices go on from there
  };
  const std::filesystem::path& path_;
  const ShardLayout& layout_;
  std::vector<Chosen> chosen_;
  std::size_t next_ = 0, planned_ = 0;
  std::optional<File> file_;
  Buffer memory_;
};

/// The digests of the pieces that begin in a block and, while they are in the processor's cache, the whole's.
void take_digests(const ShardBlocks::Block& block, const std::vector<TensorSlice>& slices,
                  ShardLayout& layout, RunningDigest& whole) {
  std::size_t piece = block.first;
  for (std::size_t at = 0; at < block.bytes.size(); at += digest_chunk) {
    const auto part = block.bytes.subspan(at, std::min(digest_chunk, block.bytes.size() - at));
    for (; piece < block.last && layout.pieces[piece].offset < block.offset + at + part.size(); ++piece) {
      const FilePiece& here = layout.pieces[piece];
      if (here.slice != FilePiece::between)
        layout.slices[here.slice].digests[here.chunk()] =
            digest_of(slices[here.slice].bytes.subspan(here.at, here.bytes));
    }
    whole.add(part);
  }
}

/// Several blocks are under way on other threads, which do nothing else, so that the disk always has some;
/// this one takes digests, and one more reads back what was written while later blocks are. The digest of
/// the file.
std::string write_blocks(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices,
                         Rereader* rereader) {
  ShardBlocks blocks(layout, slices);
  RunningDigest whole;
  std::array<Buffer, writes_in_flight> memory;
  std::array<Event, writes_in_flight> written;
  written.fill(Event::already_set());
  std::vector<std::unique_ptr<Lane>> writers;
  Lane reader("shard reread");
  Event reread = Event::already_set();
  for (std::size_t turn = 0; !blocks.done(); turn = (turn + 1) % writes_in_flight) {
    if (writers.size() == turn) writers.push_back(std::make_unique<Lane>("shard write"));
    written[turn].wait();
    const ShardBlocks::Block block = blocks.next(memory[turn]);
    written[turn] = writers[turn]->post([&file, block] { file.write(block.offset, block.bytes); });
    take_digests(block, slices, layout, whole);
    if (!rereader || !rereader->has_before(block.ended)) continue;
    rereader->plan_before(block.ended);
    reread = reader.post([rereader, end = block.ended] { rereader->compare_one_by_one(end); },
                         {written.begin(), written.end()});
  }
  for (const Event& event : written) event.wait();
  reader.drain();
  reread.wait();
  return whole.text();
}

}  // namespace

std::string write_pieces(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices,
                         Reread much) {
  Rereader rereader(file.path(), layout, much);
  // Where the page cache is in between, only what was synced and dropped from it comes from the disk.
  const bool meanwhile = much == Reread::sampled && file.is_direct();
  std::string digest = write_blocks(file, layout, slices, meanwhile ? &rereader : nullptr);
  file.sync();
  file.drop_cache();
  rereader.compare_before(layout.pieces.size());
  return digest;
}

}  // namespace trireme::io
