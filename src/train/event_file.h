#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme::train {

/// Numbers by name, as TensorBoard draws them: a slash groups names.
using Scalars = std::vector<std::pair<std::string, double>>;

/// CRC-32C (Castagnoli) of bytes.
std::uint32_t crc32c(std::string_view bytes);
/// A record of TFRecord: length and bytes, each with a masked checksum.
std::string framed(std::string_view record);
/// The message tensorflow.Event that begins a file, and one with a summary of scalars.
std::string version_event(double time);
std::string scalars_event(double time, std::int64_t step, const Scalars& scalars);

/// An event file for TensorBoard: events.out.tfevents.TIME.HOST.PROCESS in a folder that is made.
class EventFile {
 public:
  EventFile(const std::filesystem::path& folder, double time);
  void write(double time, std::int64_t step, const Scalars& scalars);
  const std::filesystem::path& path() const { return path_; }

 private:
  void append(const std::string& event);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace trireme::train
