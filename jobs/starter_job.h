#pragma once
#include <string>

namespace trireme::jobs {

/// A job file to begin with: the keys that most jobs set, each with what it means behind it. Throws a usage
/// error that lists the kinds where there is none of this name.
std::string starter_job(const std::string& kind);

}  // namespace trireme::jobs
