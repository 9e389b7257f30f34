#pragma once
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace trireme::cli {

/// Each adds its subcommand and says what that does. One small file each.
void add_bench(Command app);
void add_checkpoint(Command app);
void add_doctor(Command app);
void add_job(Command app);
void add_prepare(Command app);
void add_train(Command app);
void add_eval(Command app);
void add_generate(Command app);
void add_export(Command app);
void add_plan(Command app);
void add_launch(Command app);
void add_submit(Command app);
void add_status(Command app);
void add_logs(Command app);
void add_watch(Command app);
void add_report(Command app);
void add_manual(Command app);
void add_version(Command app);

/// Puts the "--" before the program that `launch` starts where the user left it out, since the program's
/// options are not ours.
void mark_launched_program(const Command& app, std::vector<std::string>& words);

}  // namespace trireme::cli
