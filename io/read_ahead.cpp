#include "io/read_ahead.h"

#include <algorithm>

#include "core/error.h"
#include "io/aligned_memory.h"

namespace trireme::io {
namespace {

constexpr std::uint64_t request_bytes = std::uint64_t{4} << 20;
/// Less than this between two extents is read along: a second request would cost more.
constexpr std::uint64_t gap_bytes = std::uint64_t{64} << 10;

std::uint64_t down(std::uint64_t offset) {
  return offset / direct_alignment * direct_alignment;
}
std::uint64_t up(std::uint64_t offset) {
  return down(offset + direct_alignment - 1);
}

File open_fastest(const std::filesystem::path& path) {
  File file = File::open_for_reading(path);
  return file.is_cached() ? std::move(file) : File::open_for_direct_reading(path);
}

}  // namespace

ReadAhead::ReadAhead(const std::filesystem::path& path, std::vector<Extent> extents)
    : extents_(std::move(extents)), file_(open_fastest(path)) {
  plan();
  for (const Request& request : requests_)
    if (!request.into) most_ = std::max(most_, request.bytes);
  for (std::size_t i = 0; i < std::min(requests_ahead, requests_.size()); ++i) {
    lanes_[i] = std::make_unique<Lane>("read ahead");
    start(i);
  }
}

ReadAhead::~ReadAhead() = default;

bool ReadAhead::goes_straight(const Extent& extent) const {
  if (!extent.into) return false;
  const std::uint64_t bits = extent.offset | extent.bytes | reinterpret_cast<std::uintptr_t>(extent.into);
  return !file_.is_direct() || bits % direct_alignment == 0;
}

bool ReadAhead::joins(const Extent& extent, const Request& last, std::byte* into) const {
  const std::uint64_t last_end = last.offset + last.bytes;
  if (into)
    return last.into && last_end == extent.offset && last.into + last.bytes == into &&
           last.bytes + extent.bytes <= request_bytes;
  return !last.into && extent.offset <= last_end + gap_bytes &&
         up(extent.offset + extent.bytes) - last.offset <= request_bytes;
}

void ReadAhead::plan() {
  for (std::size_t i = 0; i < extents_.size(); ++i) {
    const Extent& extent = extents_[i];
    require(extent.bytes <= largest_extent, "an extent of {} bytes", extent.bytes);
    std::byte* into = goes_straight(extent) ? extent.into : nullptr;
    const std::uint64_t begin = into ? extent.offset : down(extent.offset);
    const std::uint64_t end = into ? extent.offset + extent.bytes : up(extent.offset + extent.bytes);
    if (!requests_.empty() && joins(extent, requests_.back(), into)) {
      Request& last = requests_.back();
      last.bytes = std::max(last.bytes, end - last.offset);
      last.last = i + 1;
    } else {
      requests_.push_back({begin, end - begin, i, i + 1, into});
    }
  }
}

void ReadAhead::start(std::size_t request) {
  Slot& slot = slots_[request % requests_ahead];
  const Request& wanted = requests_[request];
  if (!wanted.into && slot.memory.bytes() == 0) slot.memory = aligned_memory(most_);
  requested_ += wanted.bytes;
  slot.read = lanes_[request % requests_ahead]->post([this, &slot, wanted] {
    std::byte* place = wanted.into ? wanted.into : slot.memory.as<std::byte>();
    slot.got = file_.read_until_end(wanted.offset, std::span(place, wanted.bytes));
  });
}

std::span<const std::byte> ReadAhead::next() {
  require(next_ < extents_.size(), "nothing more was to be read of {}", file_.path().string());
  if (next_ == requests_[request_].last) {
    if (request_ + requests_ahead < requests_.size()) start(request_ + requests_ahead);
    ++request_;
  }
  const Request& request = requests_[request_];
  const Slot& slot = slots_[request_ % requests_ahead];
  slot.read.wait();
  const Extent& extent = extents_[next_++];
  const std::uint64_t at = extent.offset - request.offset;
  if (at + extent.bytes > slot.got)
    fail(ExitCode::damaged, "{}: ends at byte {}, before byte {}", file_.path().string(),
         request.offset + slot.got, extent.offset + extent.bytes);
  return {(request.into ? request.into : slot.memory.as<std::byte>()) + at, extent.bytes};
}

}  // namespace trireme::io
