#include <algorithm>
#include <cstdio>
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
  CLI::App app("trireme: distributed fine-tuning and training of large language models on clusters",
               "trireme");
  app.require_subcommand(1);
  cli::Run chosen;
  cli::add_bench(app, chosen);
  cli::add_checkpoint(app, chosen);
  cli::add_doctor(app, chosen);
  cli::add_job(app, chosen);
  cli::add_prepare(app, chosen);
  cli::add_train(app, chosen);
  cli::add_eval(app, chosen);
  cli::add_generate(app, chosen);
  cli::add_export(app, chosen);
  cli::add_plan(app, chosen);
  cli::add_launch(app, chosen);
  cli::add_submit(app, chosen);
  cli::add_status(app, chosen);
  cli::add_logs(app, chosen);
  cli::add_watch(app, chosen);
  cli::add_report(app, chosen);
  cli::add_manual(app, chosen);
  cli::add_version(app, chosen);
  try {
    std::vector<std::string> words(argv + 1, argv + argc);
    cli::mark_launched_program(app, words);
    std::reverse(words.begin(), words.end());
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  try {
    return chosen();
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
