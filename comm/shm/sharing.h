#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace trireme::comm {

/// Memory that several ranks address together, one part for each of them.
struct SharedSegment {
  std::vector<std::byte*> parts;
  std::vector<std::size_t> bytes;
  std::shared_ptr<void> owner;
};

/// A fixed set of ranks that can share memory: threads of one process, or processes of one node. Each rank
/// holds its own object.
class Sharing {
 public:
  virtual ~Sharing() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Collective; sizes may differ. Each part is zeroed and starts on a page. The last owner's end is
  /// collective too.
  virtual SharedSegment create(std::size_t my_bytes) = 0;
  /// Collective: everyone's word, by rank.
  virtual std::vector<std::uint64_t> exchange(std::uint64_t mine) = 0;
  /// Why waiting for the others is pointless, or nullptr: another rank is known to have ended.
  virtual const char* abandoned() const { return nullptr; }
};

}  // namespace trireme::comm
