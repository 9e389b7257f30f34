#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "io/checkpoint/slices.h"

namespace trireme::train {

/// The file of a checkpoint that this rank writes to: its own, or where there are more ranks than files, one
/// with its neighbours, of whom the first leads.
class SharedFile {
 public:
  SharedFile(comm::Communicator& ranks, int most_files);

  std::string name() const;
  bool leads() const { return ranks_.rank() == first_; }
  /// The leader makes the file from what all its ranks are about to write. Where this rank's slices begin in
  /// it. What fails on the leader fails on its ranks.
  std::vector<std::uint64_t> make(const std::filesystem::path& path,
                                  const std::vector<io::TensorSlice>& slices) const;

 private:
  comm::Communicator& ranks_;
  int file_, first_, last_;  ///< the file's ranks are [first, last)
};

}  // namespace trireme::train
