#include "io/checkpoint/file_image.h"

#include <algorithm>
#include <cstring>

namespace trireme::io {

void FileImage::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::uint64_t inside = offset % page_bytes;
    const std::size_t count = std::min<std::size_t>(bytes.size(), page_bytes - inside);
    std::memcpy(pages_[offset / page_bytes].data() + inside, bytes.data(), count);
    bytes = bytes.subspan(count), offset += count;
  }
  bytes_ = std::max(bytes_, offset);
}

void FileImage::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const std::uint64_t inside = offset % page_bytes;
    const std::size_t count = std::min<std::size_t>(out.size(), page_bytes - inside);
    const auto page = pages_.find(offset / page_bytes);
    if (page == pages_.end()) {
      std::memset(out.data(), 0, count);
    } else {
      std::memcpy(out.data(), page->second.data() + inside, count);
    }
    out = out.subspan(count), offset += count;
  }
}

std::vector<std::byte> FileImage::all() const {
  std::vector<std::byte> bytes(bytes_);
  read(0, bytes);
  return bytes;
}

}  // namespace trireme::io
