#include "model/key_value_cache.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace trireme::model {

KeyValueCache::KeyValueCache(std::int64_t layers, std::int64_t positions)
    : positions_(positions), layers_(static_cast<std::size_t>(layers)) {}

KeyValueCache::Entries KeyValueCache::append(std::int64_t index, const at::Tensor& key,
                                             const at::Tensor& value) {
  Layer& layer = layers_.at(static_cast<std::size_t>(index));
  const std::int64_t added = key.size(1);
  require(layer.length + added <= positions_, "a cache of {} positions was given {}", positions_,
          layer.length + added);
  const auto room = [&](at::Tensor& kept, const at::Tensor& first) {
    if (!kept.defined())
      kept = at::empty({first.size(0), positions_, first.size(2), first.size(3)}, first.options());
    kept.narrow(1, layer.length, added).copy_(first);
  };
  room(layer.key, key), room(layer.value, value);
  layer.length += added;
  return {layer.key.narrow(1, 0, layer.length), layer.value.narrow(1, 0, layer.length)};
}

}  // namespace trireme::model
