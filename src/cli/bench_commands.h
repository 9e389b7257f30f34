#pragma once
#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace trireme::cli {

/// Each adds one benchmark to `trireme bench`.
void add_bench_tokenizer(CLI::App& bench, Run& chosen);
void add_bench_load(CLI::App& bench, Run& chosen);
void add_bench_rank_load(CLI::App& bench, Run& chosen);
void add_bench_machine(CLI::App& bench, Run& chosen);
void add_bench_record(CLI::App& bench, Run& chosen);
void add_bench_products(CLI::App& bench, Run& chosen);
void add_bench_schedule(CLI::App& bench, Run& chosen);
void add_bench_tier(CLI::App& bench, Run& chosen);
void add_bench_comm(CLI::App& bench, Run& chosen);
void add_bench_checkpoint(CLI::App& bench, Run& chosen);

}  // namespace trireme::cli
