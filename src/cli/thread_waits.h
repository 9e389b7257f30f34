#pragma once

namespace trireme::cli {

/// Threads of OpenMP wait for each other by spinning for milliseconds; on cores that they share with anything
/// else they spin while the one they wait for cannot run. The runtime reads its settings before main, so
/// this starts the program anew with a short spin, unless the environment says how to wait or there is
/// nothing to wait for.
void wait_patiently(int argc, char** argv);

}  // namespace trireme::cli
