#pragma once
#include <vector>

#include "io/data/documents.h"
#include "jobs/job_spec.h"

namespace trireme::cli {

/// All that is needed to turn a job's rows of text into tokens.
struct TextSources {
  io::Tokenizer tokenizer;
  io::TextRules rules;
  std::vector<io::DataSource> sources;
};

/// Reads the tokenizer and the chat templates; throws an Error (configuration) where they do not fit the
/// model.
TextSources open_text_sources(const jobs::JobSpec& job);

}  // namespace trireme::cli
