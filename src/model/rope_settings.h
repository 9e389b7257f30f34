#pragma once
#include "model/settings.h"
#include "model/spec.h"

namespace trireme::model {

/// Both spellings: `rope_theta` with `rope_scaling`, and transformers 5's `rope_parameters`.
RopeSpec parse_rope(const Settings& settings, std::int64_t max_positions, double default_theta);
/// That of Gemma 3's layers with a window: `rope_local_base_freq`, or a section of `rope_parameters`.
RopeSpec parse_window_rope(const Settings& settings, std::int64_t max_positions);

}  // namespace trireme::model
