#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace trireme::sharding {

/// The ranks that there are: the whole world, and those of one node (1 where nodes hold different numbers).
struct Extent {
  int world = 1;
  int node = 1;
};

/// Over how many ranks a class of state is split. Spans of equal size are blocks of consecutive ranks; each
/// block holds all of the state.
class Span {
 public:
  static constexpr Span one() { return Span(1); }
  static constexpr Span of(int ranks) { return Span(ranks); }
  static constexpr Span node() { return Span(node_marker); }
  static constexpr Span world() { return Span(world_marker); }

  int ranks(const Extent& extent) const {
    return ranks_ == world_marker ? extent.world : ranks_ == node_marker ? extent.node : ranks_;
  }
  bool operator==(const Span&) const = default;
  /// "world", "node" or a number.
  std::string name() const;
  static std::optional<Span> from_name(std::string_view name);

 private:
  explicit constexpr Span(int ranks) : ranks_(ranks) {}
  static constexpr int node_marker = -1, world_marker = -2;
  int ranks_;
};

enum class Tier : std::uint8_t { device, host, nvme };
enum class Codec : std::uint8_t { fp32, bf16, fp16, nf4, int8, blockwise8 };
/// How state travels; raw is as it is stored. The two-hop wires quantise, exchange in the node, reduce, and
/// go on across nodes.
enum class Wire : std::uint8_t { raw, fp32, bf16, int8, int8_two_hop, int4_two_hop };
enum class Activations : std::uint8_t { kept, recomputed, recomputed_except_attention };

std::string_view name_of(Tier tier);
std::string_view name_of(Codec codec);
std::string_view name_of(Wire wire);
std::string_view name_of(Activations activations);
std::optional<Tier> tier_from_name(std::string_view name);
std::optional<Codec> codec_from_name(std::string_view name);
std::optional<Wire> wire_from_name(std::string_view name);
std::optional<Activations> activations_from_name(std::string_view name);
/// The element type of a codec that is plain numbers; bytes for the quantised ones.
DType dtype_of(Codec codec);

/// One row of the table: where one class of state is and how it is stored and moved.
struct State {
  Span span = Span::one();
  Tier tier = Tier::device;
  Codec codec = Codec::fp32;
  Wire wire = Wire::raw;
  bool operator==(const State&) const = default;
};

/// In place of a number of bytes: what all else leaves.
constexpr std::uint64_t whatever_fits = ~std::uint64_t{0};

/// The table behind every sharding system: each class of state has a span, a tier, a codec and a wire of its
/// own.
struct Placement {
  std::string name;
  State parameters;
  /// Parameters that are not trained, where they are placed otherwise than the trained ones.
  std::optional<State> frozen;
  /// A copy made when a unit's parameters are first gathered in a step and used for its later gathers; span 1
  /// keeps them whole.
  std::optional<State> secondary;
  State gradients;
  State optimizer;
  /// Of optimizer state whose tier is the host, the bytes of a rank that stay on the device; whole groups do.
  std::optional<std::uint64_t> device_state_bytes;
  Activations activations = Activations::kept;
  Tier activation_tier = Tier::device;
  /// Groups with fewer elements are not split over ranks at all.
  std::int64_t persist_below = 0;

  const State& of_parameters(bool trainable) const { return trainable || !frozen ? parameters : *frozen; }
  bool operator==(const Placement&) const = default;
};

/// What does not fit, and what to write instead.
struct Misfit {
  std::string what;
  std::string nearest;
};

/// Everything that keeps `placement` from working on these ranks; empty when it fits.
std::vector<Misfit> misfits(const Placement& placement, const Extent& extent);
/// Throws a configuration error that names the first misfit and the nearest placement that fits.
void require_fits(const Placement& placement, const Extent& extent);

}  // namespace trireme::sharding
