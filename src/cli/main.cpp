#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mpi.h>

#include "cli/commands.h"
#include "cli/lost_pages.h"
#include "core/error.h"
#include "core/log.h"

namespace {

/// A rank that fails alone must not leave the others waiting in a collective.
int end_all_ranks(int code) {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (initialized && !finalized) MPI_Abort(MPI_COMM_WORLD, code);
  return code;
}

int run_program(int argc, char** argv) {
  using namespace trireme;
  cli::name_lost_pages();
  cli::CommandLine line("trireme",
                        "trireme: distributed fine-tuning and training of large language models on clusters");
  cli::Command app = line.program();
  app.needs_subcommand();
  cli::add_bench(app);
  cli::add_checkpoint(app);
  cli::add_doctor(app);
  cli::add_job(app);
  cli::add_prepare(app);
  cli::add_train(app);
  cli::add_eval(app);
  cli::add_generate(app);
  cli::add_export(app);
  cli::add_plan(app);
  cli::add_launch(app);
  cli::add_submit(app);
  cli::add_status(app);
  cli::add_logs(app);
  cli::add_watch(app);
  cli::add_report(app);
  cli::add_manual(app);
  cli::add_version(app);
  std::vector<std::string> words(argv + 1, argv + argc);
  cli::mark_launched_program(app, words);
  if (const std::optional<int> ended = line.parse(std::move(words))) return *ended;
  try {
    return line.run();
  } catch (const Error& error) {
    log::error("{}", error.what());
    return end_all_ranks(static_cast<int>(error.code()));
  } catch (const std::exception& error) {
    log::error("unexpected: {}", error.what());
    return end_all_ranks(static_cast<int>(ExitCode::internal));
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (...) {
    std::fputs("trireme: out of memory before anything began, or while saying what went wrong\n", stderr);
    return static_cast<int>(trireme::ExitCode::internal);
  }
}
