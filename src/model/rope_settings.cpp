#include "model/rope_settings.h"

#include "core/error.h"

namespace trireme::model {
namespace {

double positive(const Settings& settings, std::string_view key) {
  const auto value = settings.number(key);
  if (!value) fail(ExitCode::configuration, "{}: {} is missing", settings.where(), key);
  if (!(*value > 0))
    fail(ExitCode::configuration, "{}: {} must be above 0, not {}", settings.where(), key, *value);
  return *value;
}

void read_scaling(const Settings& scaling, std::int64_t max_positions, RopeSpec& rope) {
  const std::string type = scaling.text("rope_type").value_or(scaling.text("type").value_or("default"));
  if (type == "default") return;
  if (type == "linear") {
    rope.kind = RopeKind::linear;
    rope.factor = positive(scaling, "factor");
  } else if (type == "llama3") {
    rope.kind = RopeKind::llama3;
    rope.factor = positive(scaling, "factor");
    rope.low_frequency_factor = positive(scaling, "low_freq_factor");
    rope.high_frequency_factor = positive(scaling, "high_freq_factor");
    rope.original_positions =
        static_cast<double>(scaling.count("original_max_position_embeddings", max_positions));
    if (!(rope.high_frequency_factor > rope.low_frequency_factor))
      fail(ExitCode::configuration, "{}: high_freq_factor must be above low_freq_factor", scaling.where());
  } else {
    fail(ExitCode::configuration,
         "{}: RoPE scaling of type \"{}\" is not supported; default, linear and llama3 are", scaling.where(),
         type);
  }
}

RopeSpec rope_from(const Settings& section, double theta, std::int64_t max_positions) {
  if (section.number("partial_rotary_factor").value_or(1.0) != 1.0)
    fail(ExitCode::configuration, "{}: partial_rotary_factor other than 1 is not supported", section.where());
  RopeSpec rope;
  rope.kind = RopeKind::plain;
  rope.theta = section.number("rope_theta") ? positive(section, "rope_theta") : theta;
  read_scaling(section, max_positions, rope);
  return rope;
}

}  // namespace

RopeSpec parse_rope(const Settings& settings, std::int64_t max_positions, double default_theta) {
  if (settings.number("partial_rotary_factor").value_or(1.0) != 1.0)
    fail(ExitCode::configuration, "{}: partial_rotary_factor other than 1 is not supported",
         settings.where());
  const double theta = settings.number("rope_theta") ? positive(settings, "rope_theta") : default_theta;
  if (const auto parameters = settings.section("rope_parameters")) {
    const auto whole = parameters->section("full_attention");
    return rope_from(whole ? *whole : *parameters, theta, max_positions);
  }
  if (const auto scaling = settings.section("rope_scaling")) {
    RopeSpec rope = rope_from(*scaling, theta, max_positions);
    rope.theta = theta;
    return rope;
  }
  RopeSpec rope;
  rope.kind = RopeKind::plain;
  rope.theta = theta;
  return rope;
}

RopeSpec parse_window_rope(const Settings& settings, std::int64_t max_positions) {
  constexpr double usual_theta = 10000.0;
  const double theta =
      settings.number("rope_local_base_freq") ? positive(settings, "rope_local_base_freq") : usual_theta;
  if (const auto parameters = settings.section("rope_parameters"))
    if (const auto section = parameters->section("sliding_attention"))
      return rope_from(*section, theta, max_positions);
  RopeSpec rope;
  rope.kind = RopeKind::plain;
  rope.theta = theta;
  return rope;
}

}  // namespace trireme::model
