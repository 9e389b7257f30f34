#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::io {

constexpr const char* master_file = "checkpoint.h5";
constexpr const char* manifest_file = "manifest.json";
constexpr const char* manifest_digest_file = "manifest.json.xxh3";
constexpr const char* latest_file = "latest";

/// What a save is made in: "step-00000012-….tmp". Never read, and removed by the next save.
constexpr std::string_view temporary_suffix = ".tmp";
/// A checkpoint that a newer save of its step is about to replace, on file systems that cannot swap two
/// names.
constexpr std::string_view replaced_suffix = ".old";

/// "step-00000012-epoch-0.75-samples-768": the steps done, how much of the data was seen, and how many
/// samples from the first on.
std::string checkpoint_name(std::int64_t step, double epoch, std::int64_t samples);
/// The step that a name begins with; none where it is no checkpoint's.
std::optional<std::int64_t> step_of(std::string_view name);

/// Names of the finished checkpoints in a folder, oldest first.
std::vector<std::string> checkpoint_names(const std::filesystem::path& checkpoints);
/// Names of what unfinished saves left.
std::vector<std::string> temporary_names(const std::filesystem::path& checkpoints);

}  // namespace trireme::io
