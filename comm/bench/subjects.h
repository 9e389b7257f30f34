#pragma once
#include <memory>
#include <string>
#include <vector>

#include "comm/bench/site.h"
#include "comm/bench/subject.h"

namespace trireme::comm::bench {

/// One subject for each backend named, in that order; "all" stands for every backend that can carry this
/// group, and names that are not the bench's own go to the world. Every rank calls it alike.
std::vector<std::unique_ptr<Subject>> make_subjects(const Site& site, const Group& group,
                                                    const std::vector<std::string>& backends,
                                                    bool plain_memory);

}  // namespace trireme::comm::bench
