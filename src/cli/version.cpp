#include <fmt/format.h>

#include "cli/commands.h"

namespace trireme::cli {

void add_version(Command app) {
  Command command = app.subcommand("version", "Print the version of trireme");
  command.runs([] {
    fmt::print("trireme {}\n", TRIREME_VERSION);
    return 0;
  });
}

}  // namespace trireme::cli
