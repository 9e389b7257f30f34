#include "cli/run_words.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "jobs/read_job.h"
#include "slurm/queue.h"

namespace trireme::cli {

namespace fs = std::filesystem;

bool is_slurm_job(const std::string& word) {
  const bool digits = !word.empty() && std::all_of(word.begin(), word.end(), [](char letter) {
    return std::isdigit(static_cast<unsigned char>(letter)) || letter == '_';
  });
  std::error_code unseen;
  return digits && !fs::exists(word, unseen);
}

fs::path run_folder_of(const std::string& word) {
  std::error_code unseen;
  if (fs::is_directory(word, unseen)) return word;
  if (fs::is_regular_file(word, unseen)) return jobs::load_job(word).output_dir;
  if (!is_slurm_job(word))
    fail(ExitCode::usage, "'{}' is neither a run folder, a job file nor the number of a Slurm job", word);
  const slurm::JobState job = slurm::find_job(word);
  if (job.run_folder.empty())
    fail(ExitCode::usage, "job {} was not submitted by trireme: its output does not go to a run folder",
         word);
  return job.run_folder;
}

}  // namespace trireme::cli
