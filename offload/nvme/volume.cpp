#include "offload/nvme/volume.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/log.h"

namespace trireme::offload {
namespace {

constexpr std::uint64_t page = 4096;

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::vector<Extent> Striping::extents(std::uint64_t offset, std::uint64_t bytes) const {
  if (files == 1) return {{0, offset, bytes}};
  std::vector<Extent> found;
  const auto count = static_cast<std::uint64_t>(files);
  while (bytes > 0) {
    const std::uint64_t number = offset / stripe, within = offset % stripe;
    const std::uint64_t here = std::min(bytes, stripe - within);
    found.push_back({static_cast<int>(number % count), number / count * stripe + within, here});
    offset += here, bytes -= here;
  }
  return found;
}

std::uint64_t Striping::file_bytes(int file, std::uint64_t bytes) const {
  if (files == 1) return round_up(bytes, page);
  const std::uint64_t stripes = round_up(bytes, stripe) / stripe, count = static_cast<std::uint64_t>(files);
  return (stripes / count + (static_cast<std::uint64_t>(file) < stripes % count ? 1 : 0)) * stripe;
}

Volume::Volume(const std::vector<std::filesystem::path>& folders, std::uint64_t bytes, Striping striping)
    : bytes_(bytes), striping_(striping) {
  if (folders.empty())
    fail(ExitCode::configuration,
         "NVMe tier: no folder is named; set offload.nvme_paths to one on each drive");
  require(striping.stripe > 0 && striping.stripe % page == 0, "stripes of {} bytes", striping.stripe);
  striping_.files = static_cast<int>(folders.size());
  for (int i = 0; i < striping_.files; ++i) {
    const auto& folder = folders[static_cast<std::size_t>(i)];
    if (const Swept swept = remove_stale_spills(folder); swept.files > 0)
      log::info("{}: removed {} files ({}) of runs that ended without doing so", folder.string(), swept.files,
                human_bytes(static_cast<double>(swept.bytes)));
    files_.push_back(std::make_shared<SpillFile>(folder, std::max(striping_.file_bytes(i, bytes), page)));
  }
}

Buffer Volume::map() const {
  const std::size_t room = round_up(std::max(bytes_, page), striping_.files == 1 ? page : striping_.stripe);
  void* whole = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const auto refuse = [&] {
    fail(ExitCode::configuration, "NVMe tier: {} of address space cannot be had: {}",
         human_bytes(static_cast<double>(room)), std::strerror(errno));
  };
  if (whole == MAP_FAILED) refuse();
  Buffer mapped(whole, bytes_, [whole, room, files = files_] { ::munmap(whole, room); });
  std::uint64_t at = 0;
  for (const Extent& extent : striping_.extents(0, room)) {
    void* where = mapped.as<std::byte>() + at;
    if (::mmap(where, extent.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file(extent.file).plain(),
               static_cast<off_t>(extent.offset)) == MAP_FAILED)
      refuse();
    at += extent.bytes;
  }
  return mapped;
}

}  // namespace trireme::offload
