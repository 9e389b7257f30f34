#pragma once

namespace trireme::comm {

/// How `trireme launch` tells its ranks about the run.
inline constexpr const char* run_folder_variable = "TRIREME_RUN_FOLDER";
inline constexpr const char* status_copy_variable = "TRIREME_STATUS_COPY";
inline constexpr const char* launch_variable = "TRIREME_LAUNCH";
/// The columns of the terminal that the launcher writes to; unset where it writes to none.
inline constexpr const char* terminal_variable = "TRIREME_TERMINAL_COLUMNS";
inline constexpr const char* time_limit_variable = "TRIREME_TIME_LIMIT_MS";

}  // namespace trireme::comm
