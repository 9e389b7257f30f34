#pragma once
#include <random>

#include "sharding/schedule.h"

namespace trireme::sharding {

struct RandomCase {
  ScheduleFacts facts;
  ScheduleOptions options;
};

/// Any spans that fit together, with tied, frozen and paged groups, and any order, depths and policy.
RandomCase random_case(std::mt19937& random);

}  // namespace trireme::sharding
