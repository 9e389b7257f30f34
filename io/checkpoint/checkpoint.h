#pragma once
#include <boost/json/value.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint/manifest.h"
#include "io/checkpoint/slices.h"
#include "io/file.h"

namespace trireme::io {

constexpr const char* master_file = "checkpoint.h5";
constexpr const char* manifest_file = "manifest.json";
constexpr const char* manifest_digest_file = "manifest.json.xxh3";
constexpr const char* latest_file = "latest";

/// A finished checkpoint, open for reading any slice of any tensor, whatever the number of ranks that wrote
/// it. Opening checks the manifest and every file's presence and length; each read checks the digests of what
/// it touches.
class Checkpoint {
 public:
  struct Tensor {
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;
  };

  explicit Checkpoint(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const boost::json::object& state() const { return manifest_.state; }
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  /// Elements [first, first + out.size() / size_of(dtype)) of the flattened tensor, in its own dtype.
  void read(std::string_view tensor, std::uint64_t first, std::span<std::byte> out) const;
  /// Reads every byte of every file; throws with file, tensor and offset at the first that differs.
  void verify() const;

 private:
  struct Place {
    std::size_t file;
    const StoredSlice* slice;
  };
  void read_slice(const Place& place, std::uint64_t first, std::span<std::byte> out) const;

  std::filesystem::path folder_;
  Manifest manifest_;
  std::vector<File> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::vector<Place>, std::less<>> places_;
};

/// Names of the finished checkpoints in a folder, oldest first.
std::vector<std::string> checkpoint_names(const std::filesystem::path& checkpoints);

struct Found {
  std::optional<Checkpoint> checkpoint;
  std::vector<std::string> refused;  ///< one sentence for each newer one that was damaged
};
/// The newest checkpoint that verifies whole. Nothing found and nothing refused: there is none.
Found newest_checkpoint(const std::filesystem::path& checkpoints);

}  // namespace trireme::io
