#pragma once
#include <filesystem>
#include <string>

namespace trireme::cli {

/// Whether a word is the number of a Slurm job and not a folder that is there.
bool is_slurm_job(const std::string& word);
/// The run folder that a word names: itself, that of its job file (output_dir), or that of a Slurm job.
std::filesystem::path run_folder_of(const std::string& word);

}  // namespace trireme::cli
