#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/error.h"

namespace trireme::train {

/// One rank's text on all ranks.
std::string shared_text(comm::Communicator& ranks, int from, std::string text);
/// All ranks' texts, on all ranks.
std::vector<std::string> gathered_texts(comm::Communicator& ranks, const std::string& text);
/// Runs `work` on every rank; when it throws on one, all get the lowest such rank's error.
std::optional<Error> failure_of(comm::Communicator& ranks, const std::function<void()>& work);
/// The same, thrown.
void together(comm::Communicator& ranks, const std::function<void()>& work);

}  // namespace trireme::train
