#pragma once

#include "cli/commands.h"

namespace trireme::cli {

/// Each adds one benchmark to `trireme bench`.
void add_bench_tokenizer(Command bench);
void add_bench_load(Command bench);
void add_bench_rank_load(Command bench);
void add_bench_machine(Command bench);
void add_bench_record(Command bench);
void add_bench_products(Command bench);
void add_bench_schedule(Command bench);
void add_bench_tier(Command bench);
void add_bench_comm(Command bench);
void add_bench_checkpoint(Command bench);

}  // namespace trireme::cli
