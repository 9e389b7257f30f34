#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace trireme::cli {

/// What a subcommand does once the command line is parsed; the result is the process's exit status.
using Run = std::function<int()>;

/// Each adds its subcommand to `app` and, when the user chose it, stores its work in `chosen`. One small file
/// each.
void add_bench(CLI::App& app, Run& chosen);
void add_checkpoint(CLI::App& app, Run& chosen);
void add_doctor(CLI::App& app, Run& chosen);
void add_job(CLI::App& app, Run& chosen);
void add_prepare(CLI::App& app, Run& chosen);
void add_train(CLI::App& app, Run& chosen);
void add_eval(CLI::App& app, Run& chosen);
void add_generate(CLI::App& app, Run& chosen);
void add_export(CLI::App& app, Run& chosen);
void add_plan(CLI::App& app, Run& chosen);
void add_launch(CLI::App& app, Run& chosen);
void add_submit(CLI::App& app, Run& chosen);
void add_status(CLI::App& app, Run& chosen);
void add_logs(CLI::App& app, Run& chosen);
void add_watch(CLI::App& app, Run& chosen);
void add_report(CLI::App& app, Run& chosen);
void add_manual(CLI::App& app, Run& chosen);
void add_version(CLI::App& app, Run& chosen);

/// Puts the "--" before the program that `launch` starts where the user left it out, since the program's
/// options are not ours.
void mark_launched_program(const CLI::App& app, std::vector<std::string>& words);

}  // namespace trireme::cli
