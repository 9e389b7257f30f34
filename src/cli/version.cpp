#include <fmt/format.h>

#include "cli/commands.h"

namespace trireme::cli {

void add_version(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand("version", "Print the version of trireme");
  command->callback([&chosen] {
    chosen = [] {
      fmt::print("trireme {}\n", TRIREME_VERSION);
      return 0;
    };
  });
}

}  // namespace trireme::cli
