#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "sharding/engine.h"
#include "train/trainer.h"

namespace trireme::train {

/// "model/layers.3.mlp.up_proj.weight", or "optimizer/exp_avg/…".
std::string tensor_name(const sharding::StateSlice& slice);

/// What this rank holds of what is trained; replicas hold the same, in the same order.
std::vector<sharding::StateSlice> trained_slices(sharding::Engine& engine);
/// Of the whole tensor that the slice is of.
std::vector<std::int64_t> shape_of(const sharding::StateSlice& slice);

/// Deals slices that `replicas` ranks hold alike to them, about equally many bytes each: every byte to one.
std::vector<std::vector<sharding::StateSlice>> shares_of(const std::vector<sharding::StateSlice>& slices,
                                                         int replicas);

boost::json::object to_json(const TrainerState& state);
TrainerState state_from_json(const boost::json::object& object);

}  // namespace trireme::train
