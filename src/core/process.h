#pragma once
#include <string>
#include <vector>

namespace trireme {

struct ProcessResult {
  int status = 0;  ///< the exit status; 128 + signal when a signal ended it
  std::string output;
  std::string errors;
};

/// Starts a program by its name in PATH, hands it `input`, and waits. No shell is involved, so no word is
/// ever interpreted. Throws a configuration error when the program is not there.
ProcessResult run_process(const std::vector<std::string>& words, const std::string& input = "");

}  // namespace trireme
