#include "sharding/placement.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

constexpr std::array tier_names{"device", "host", "nvme"};
constexpr std::array codec_names{"fp32", "bf16", "fp16", "nf4", "int8", "blockwise8"};
constexpr std::array wire_names{"raw", "fp32", "bf16", "int8", "int8_two_hop", "int4_two_hop"};
constexpr std::array activation_names{"kept", "recomputed", "recomputed_except_attention"};

template <typename Enum, std::size_t n>
std::optional<Enum> find(const std::array<const char*, n>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

/// The divisor of `world` closest to `wanted` among those that `accepts`; the larger of two equally close.
template <typename Accepts>
int nearest_divisor(int world, int wanted, const Accepts& accepts) {
  int best = 1;
  for (int candidate = 1; candidate <= world; ++candidate) {
    if (world % candidate != 0 || !accepts(candidate)) continue;
    if (std::abs(candidate - wanted) <= std::abs(best - wanted)) best = candidate;
  }
  return best;
}

bool divides(int small, int large) {
  return large % small == 0;
}
bool nested(int a, int b) {
  return divides(a, b) || divides(b, a);
}

class Checker {
 public:
  Checker(const Placement& placement, const Extent& extent) : placement_(placement), extent_(extent) {}

  std::vector<Misfit> run() {
    check_sizes();
    if (misfits_.empty()) check_nesting();
    check_secondary();
    check_codecs();
    check_wires();
    check_tiers();
    return std::move(misfits_);
  }

 private:
  template <typename... Args>
  void add(std::string nearest, fmt::format_string<Args...> format, Args&&... args) {
    misfits_.push_back({fmt::format(format, std::forward<Args>(args)...), std::move(nearest)});
  }
  int ranks(const State& state) const { return state.span.ranks(extent_); }

  void check_size(const char* name, const State& state) {
    const int span = ranks(state);
    if (span >= 1 && divides(span, extent_.world)) return;
    const int fit = nearest_divisor(extent_.world, span, [](int) { return true; });
    add(fmt::format("placement.{}.span={}", name, fit),
        "{} are split over {} ranks, which does not divide the {} ranks there are", name, span,
        extent_.world);
  }
  void check_sizes() {
    check_size("parameters", placement_.parameters);
    check_size("gradients", placement_.gradients);
    check_size("optimizer", placement_.optimizer);
    if (placement_.frozen) check_size("frozen", *placement_.frozen);
    if (placement_.secondary) check_size("secondary", *placement_.secondary);
  }

  void check_nesting() {
    const int parameters = ranks(placement_.parameters), gradients = ranks(placement_.gradients);
    const int optimizer = ranks(placement_.optimizer);
    if (!divides(gradients, optimizer)) {
      const int fit =
          nearest_divisor(extent_.world, gradients, [&](int span) { return divides(span, optimizer); });
      add(fmt::format("placement.gradients.span={}", fit),
          "gradients are split over {} ranks and the optimizer over {}: a rank would lack gradients for "
          "state that it updates",
          gradients, optimizer);
    }
    if (!nested(parameters, optimizer) || !nested(parameters, gradients)) {
      const int fit = nearest_divisor(extent_.world, parameters, [&](int span) {
        return nested(span, optimizer) && nested(span, gradients);
      });
      add(fmt::format("placement.parameters.span={}", fit),
          "parameters over {}, gradients over {} and the optimizer over {} ranks are not multiples of one "
          "another, so their slices overlap in part",
          parameters, gradients, optimizer);
    }
  }

  void check_secondary() {
    if (!placement_.secondary) return;
    const int primary = ranks(placement_.parameters), secondary = ranks(*placement_.secondary);
    if (secondary > 1 && secondary > primary)
      add(fmt::format("placement.secondary.span={}", primary),
          "the secondary copy is split over {} ranks, more than the {} of the parameters, so it would save "
          "nothing",
          secondary, primary);
  }

  void check_codec(const char* name, Codec codec, std::initializer_list<Codec> allowed) {
    if (std::find(allowed.begin(), allowed.end(), codec) != allowed.end()) return;
    add(fmt::format("placement.{}.codec={}", name, name_of(*allowed.begin())), "{} cannot be stored as {}",
        name, name_of(codec));
  }
  void check_codecs() {
    using enum Codec;
    check_codec("parameters", placement_.parameters.codec, {bf16, fp16, fp32});
    check_codec("gradients", placement_.gradients.codec, {fp32, bf16});
    check_codec("optimizer", placement_.optimizer.codec, {fp32, blockwise8});
    if (placement_.frozen) check_codec("frozen", placement_.frozen->codec, {bf16, fp16, fp32, nf4});
    if (placement_.secondary) check_codec("secondary", placement_.secondary->codec, {bf16, fp16, fp32, int8});
  }

  void check_wire(const char* name, const State& state, std::initializer_list<Wire> allowed) {
    if (std::find(allowed.begin(), allowed.end(), state.wire) == allowed.end())
      add(fmt::format("placement.{}.wire=raw", name), "{} cannot travel as {}", name, name_of(state.wire));
  }
  void check_wires() {
    using enum Wire;
    check_wire("parameters", placement_.parameters, {raw, int8});
    check_wire("gradients", placement_.gradients, {raw, fp32, bf16, int8_two_hop, int4_two_hop});
    if ((placement_.gradients.wire == int8_two_hop || placement_.gradients.wire == int4_two_hop) &&
        ranks(placement_.optimizer) != extent_.world)
      add("placement.gradients.wire=bf16",
          "gradients that travel as {} end in slices of all {} ranks, and the optimizer is split over {}",
          name_of(placement_.gradients.wire), extent_.world, ranks(placement_.optimizer));
    check_wire("optimizer", placement_.optimizer, {raw});
    if (placement_.frozen) check_wire("frozen", *placement_.frozen, {raw, int8});
    if (placement_.secondary) check_wire("secondary", *placement_.secondary, {raw});
    if (placement_.frozen && placement_.frozen->codec == Codec::nf4 && placement_.frozen->wire != raw)
      add("placement.frozen.wire=raw", "4-bit parameters travel as the bytes they are, not as {}",
          name_of(placement_.frozen->wire));
  }

  void check_tiers() {
    if (placement_.gradients.tier == Tier::nvme)
      add("placement.gradients.tier=host",
          "gradients are rewritten for each micro-batch and are not kept on NVMe");
    if (placement_.secondary && placement_.secondary->tier == Tier::nvme)
      add("placement.secondary.tier=host",
          "a secondary copy on NVMe would be slower than the gather that it saves");
    if (placement_.device_state_bytes && placement_.optimizer.tier != Tier::host)
      add("placement.optimizer.tier=host",
          "a part of the optimizer's state is to stay on the device, and the rest of it is on {}, not on the "
          "host",
          name_of(placement_.optimizer.tier));
    if (placement_.activation_tier == Tier::nvme)
      add("placement.activation_tier=host", "activations are not kept on NVMe");
    if (placement_.activation_tier == Tier::host && placement_.activations == Activations::kept)
      add("placement.activations=recomputed",
          "inputs of units that are computed again can lie on the host, and no unit is computed again");
  }

  const Placement& placement_;
  const Extent& extent_;
  std::vector<Misfit> misfits_;
};

}  // namespace

std::string Span::name() const {
  return ranks_ == world_marker ? "world" : ranks_ == node_marker ? "node" : std::to_string(ranks_);
}

std::optional<Span> Span::from_name(std::string_view name) {
  if (name == "world") return world();
  if (name == "node") return node();
  int ranks = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), ranks);
  if (error != std::errc() || end != name.data() + name.size() || ranks < 1) return std::nullopt;
  return of(ranks);
}

std::string_view name_of(Tier tier) {
  return tier_names[static_cast<std::size_t>(tier)];
}
std::string_view name_of(Codec codec) {
  return codec_names[static_cast<std::size_t>(codec)];
}
std::string_view name_of(Wire wire) {
  return wire_names[static_cast<std::size_t>(wire)];
}
std::string_view name_of(Activations activations) {
  return activation_names[static_cast<std::size_t>(activations)];
}
std::optional<Tier> tier_from_name(std::string_view name) {
  return find<Tier>(tier_names, name);
}
std::optional<Codec> codec_from_name(std::string_view name) {
  return find<Codec>(codec_names, name);
}
std::optional<Wire> wire_from_name(std::string_view name) {
  return find<Wire>(wire_names, name);
}
std::optional<Activations> activations_from_name(std::string_view name) {
  return find<Activations>(activation_names, name);
}

DType dtype_of(Codec codec) {
  switch (codec) {
    case Codec::fp32:
      return DType::f32;
    case Codec::bf16:
      return DType::bf16;
    case Codec::fp16:
      return DType::f16;
    case Codec::int8:
      return DType::i8;
    case Codec::nf4:
    case Codec::blockwise8:
      return DType::u8;
  }
  return DType::u8;
}

std::vector<Misfit> misfits(const Placement& placement, const Extent& extent) {
  return Checker(placement, extent).run();
}

void require_fits(const Placement& placement, const Extent& extent) {
  const auto found = misfits(placement, extent);
  if (found.empty()) return;
  fail(ExitCode::configuration,
       "placement '{}' does not fit {} ranks ({} a node): {}; the nearest that fits is {}", placement.name,
       extent.world, extent.node, found.front().what, found.front().nearest);
}

}  // namespace trireme::sharding
