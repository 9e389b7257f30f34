#include "model/config.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "core/error.h"
#include "io/strict_json.h"
#include "model/families.h"
#include "model/rope_settings.h"
#include "model/settings.h"

namespace trireme::model {
namespace {

namespace json = boost::json;

std::string known_architectures() {
  std::string list;
  for (const Family& family : families())
    list += (list.empty() ? "" : ", ") + std::string(family.architecture);
  return list;
}

const Family& find_family(const Settings& settings) {
  const json::value* list = settings.find("architectures");
  const bool named =
      list && list->is_array() && !list->get_array().empty() && list->get_array()[0].is_string();
  const std::string name =
      named ? std::string(list->get_array()[0].get_string()) : settings.text("model_type").value_or("");
  for (const Family& family : families())
    if (name == (named ? family.architecture : family.model_type)) return family;
  fail(ExitCode::configuration, "{}: the architecture \"{}\" is not supported; these are: {}",
       settings.where(), name, known_architectures());
}

Nonlinearity parse_nonlinearity(const std::string& name, const std::string& where) {
  if (name == "silu" || name == "swish") return Nonlinearity::silu;
  if (name == "gelu") return Nonlinearity::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
    return Nonlinearity::gelu_tanh;
  if (name == "relu") return Nonlinearity::relu;
  fail(ExitCode::configuration, "{}: the activation function \"{}\" is not supported", where, name);
}

bool has_bias(const BiasRule& rule, const Settings& settings) {
  return rule.fixed || (!rule.setting.empty() && settings.boolean(rule.setting).value_or(false));
}

/// Newer configurations list each layer's kind, older ones give a rule.
std::vector<std::int64_t> parse_windows(const Family& family, const Settings& settings, std::int64_t layers) {
  std::vector<std::int64_t> windows(static_cast<std::size_t>(layers), 0);
  if (family.window == WindowRule::none) return windows;
  const bool stated = settings.find("sliding_window") != nullptr;
  const std::int64_t window = stated                             ? settings.count("sliding_window")
                              : settings.given("sliding_window") ? 0
                                                                 : family.default_window.value_or(0);
  if (family.window == WindowRule::every_layer) {
    windows.assign(windows.size(), window);
    return windows;
  }
  const bool mixed = family.window == WindowRule::every_nth_full;
  if (!mixed && !settings.boolean("use_sliding_window").value_or(false)) return windows;
  if (const json::value* kinds = settings.find("layer_types")) {
    if (!kinds->is_array() || kinds->get_array().size() != windows.size())
      fail(ExitCode::configuration, "{}: layer_types must list {} layers", settings.where(), layers);
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const std::string kind = json::serialize(kinds->get_array()[i]);
      if (kind == "\"sliding_attention\"") {
        windows[i] = window;
      } else if (kind != "\"full_attention\"") {
        fail(ExitCode::configuration, "{}: layer_types holds {}, which is not supported", settings.where(),
             kind);
      }
    }
    return windows;
  }
  const auto pattern = mixed ? settings.count("sliding_window_pattern", family.window_pattern) : 1;
  const auto first = mixed ? 0 : settings.integer("max_window_layers").value_or(28);
  for (std::int64_t i = 0; i < layers; ++i)
    if (i >= first && (!mixed || (i + 1) % pattern != 0)) windows[static_cast<std::size_t>(i)] = window;
  return windows;
}

void read_sizes(const Family& family, const Settings& settings, ModelSpec& spec) {
  const ConfigKeys& keys = family.keys;
  spec.hidden = settings.count(keys.hidden);
  spec.layers = settings.count(keys.layers);
  spec.heads = settings.count(keys.heads);
  spec.key_value_heads = settings.count(keys.key_value_heads, spec.heads);
  spec.vocabulary = settings.count("vocab_size");
  spec.max_positions = settings.count(keys.max_positions, family.default_max_positions);
  spec.intermediate = family.form.gated ? settings.count(keys.intermediate)
                                        : settings.count(keys.intermediate, 4 * spec.hidden);
  const bool divides = spec.hidden % spec.heads == 0;
  std::optional<std::int64_t> head_size = family.default_head_size;
  if (!head_size && divides) head_size = spec.hidden / spec.heads;
  if (!head_size && !settings.find(keys.head_size))
    fail(ExitCode::configuration, "{}: {} = {} is not a multiple of {} = {}, and there is no {}",
         settings.where(), keys.hidden, spec.hidden, keys.heads, spec.heads,
         keys.head_size.empty() ? "head size" : keys.head_size);
  spec.head_size = settings.count(keys.head_size, head_size);
  if (spec.heads % spec.key_value_heads != 0)
    fail(ExitCode::configuration, "{}: {} = {} is not a multiple of {} = {}", settings.where(), keys.heads,
         spec.heads, keys.key_value_heads, spec.key_value_heads);
  if (family.form.rope.kind != RopeKind::none && spec.head_size % 2 != 0)
    fail(ExitCode::configuration, "{}: a head size of {} cannot be rotated; it must be even",
         settings.where(), spec.head_size);
  if (spec.layers > 10000)
    fail(ExitCode::configuration, "{}: {} layers are not plausible", settings.where(), spec.layers);
}

void refuse_unsupported(const Family& family, const Settings& settings) {
  if (settings.find("quantization_config"))
    fail(ExitCode::configuration,
         "{}: the weights are stored quantised (quantization_config); point base_model at the unquantised "
         "model",
         settings.where());
  for (const auto& [key, expected] : family.required) {
    const json::value* given = settings.find(key);
    if (given && json::serialize(*given) != expected)
      fail(ExitCode::configuration, "{}: {} = {} is not supported, only {}", settings.where(), key,
           json::serialize(*given), expected);
  }
}

}  // namespace

ModelSpec parse_config(std::string_view text, const std::string& where) {
  const json::value root = io::parse_strict_json(text, where);
  if (!root.is_object()) fail(ExitCode::configuration, "{}: is not a JSON object", where);
  const Settings settings(root.get_object(), where);
  const Family& family = find_family(settings);
  refuse_unsupported(family, settings);

  ModelSpec spec = family.form;
  spec.architecture = family.architecture;
  read_sizes(family, settings, spec);
  spec.norm_epsilon = settings.number(family.keys.norm_epsilon).value_or(spec.norm_epsilon);
  if (!(spec.norm_epsilon > 0))
    fail(ExitCode::configuration, "{}: {} must be above 0", where, family.keys.norm_epsilon);
  spec.nonlinearity = parse_nonlinearity(
      settings.text(family.keys.nonlinearity).value_or(std::string(family.default_nonlinearity)), where);
  if (family.form.rope.kind != RopeKind::none)
    spec.rope = parse_rope(settings, spec.max_positions, spec.rope.theta);
  spec.attention_scale = 1.0 / std::sqrt(static_cast<double>(spec.head_size));
  spec.windows = parse_windows(family, settings, spec.layers);
  spec.query_key_value_bias = has_bias(family.query_key_value_bias, settings);
  spec.attention_out_bias = has_bias(family.attention_out_bias, settings);
  spec.mlp_bias = has_bias(family.mlp_bias, settings);
  spec.tied = settings.boolean("tie_word_embeddings").value_or(family.tied_by_default);
  if (family.more) family.more(settings, spec);
  spec.initializer_range = settings.number("initializer_range").value_or(spec.initializer_range);
  for (const std::string_view key : family.dropouts)
    if (settings.number(key).value_or(0.0) != 0.0)
      spec.notes.push_back(fmt::format("{} asks for {} = {} in training; trireme trains without dropout",
                                       where, key, *settings.number(key)));
  return spec;
}

}  // namespace trireme::model
