#pragma once
#include <chrono>
#include <vector>

namespace trireme::jobs {

/// From now on, orphans among this process's descendants become its children.
void adopt_orphans();
/// All processes below `ancestor`, children first; ended ones that nobody has waited for are left out.
std::vector<int> descendants(int ancestor);
/// The ranks that an mpirun started itself, on this node; its daemons on others start theirs.
std::vector<int> ranks_started_by(int mpirun);
/// Processes that became this one's children because their parents ended; `own` are those that it started
/// itself.
std::vector<int> adopted(int own);
/// Collects what ended; empty when nothing (more) has.
struct Ended {
  int process = 0;
  int wait_status = 0;
};
Ended collect_ended();
/// Ends all descendants, stopped ones too, and those that they start meanwhile. False when some are left
/// after `limit`.
bool end_descendants(std::chrono::milliseconds limit);

}  // namespace trireme::jobs
