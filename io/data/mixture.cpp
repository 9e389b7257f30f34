#include "io/data/mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include <xxhash.h>

#include "core/error.h"
#include "io/data/permutation.h"

namespace trireme::io {
namespace {

struct Digest {
  std::uint64_t high, low;
  std::uint32_t document;
};

Digest digest_of(const DocumentView& document, std::uint32_t index) {
  const XXH128_hash_t ids = XXH3_128bits(document.ids.data(), document.ids.size_bytes());
  const XXH128_hash_t both =
      XXH3_128bits_withSeed(document.scored.data(), document.scored.size_bytes(), ids.low64);
  return {ids.high64 ^ both.high64, ids.low64 ^ both.low64, index};
}

std::vector<std::uint8_t> find_duplicates(const DocumentSource& documents) {
  const auto count = static_cast<std::uint32_t>(documents.size());
  std::vector<Digest> digests;
  digests.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) digests.push_back(digest_of(documents.document(i), i));
  std::sort(digests.begin(), digests.end(), [](const Digest& a, const Digest& b) {
    return std::tie(a.high, a.low, a.document) < std::tie(b.high, b.low, b.document);
  });
  std::vector<std::uint8_t> is_duplicate(count);
  for (std::uint32_t i = 1; i < count; ++i)
    if (digests[i].high == digests[i - 1].high && digests[i].low == digests[i - 1].low)
      is_duplicate[digests[i].document] = 1;
  return is_duplicate;
}

/// `wanted` of `from`, drawn by the seed, in the order of `from`.
std::vector<std::uint8_t> drawn(std::size_t from, std::size_t wanted, std::uint64_t seed) {
  std::vector<std::uint8_t> chosen(from);
  const Permutation order(from, seed);
  for (std::size_t place = 0; place < wanted; ++place) chosen[order(place)] = 1;
  return chosen;
}

std::size_t validation_count(double asked, std::size_t count) {
  if (asked <= 0 || count == 0) return 0;
  const double wanted = asked < 1 ? std::max(1.0, std::round(asked * static_cast<double>(count))) : asked;
  if (wanted >= static_cast<double>(count))
    fail(ExitCode::configuration, "val_set_size = {} leaves nothing to train on: there are {} documents",
         asked, count);
  return static_cast<std::size_t>(wanted);
}

}  // namespace

Mixture mix(const DocumentSource& documents, const MixtureRules& rules) {
  if (documents.size() >= std::numeric_limits<std::uint32_t>::max())
    fail(ExitCode::configuration, "there are {} documents; at most {} can be mixed", documents.size(),
         std::numeric_limits<std::uint32_t>::max() - 1);
  Mixture mixture;
  std::vector<std::uint32_t> kept(documents.size());
  std::iota(kept.begin(), kept.end(), 0u);
  if (rules.drop_duplicates) {
    const std::vector<std::uint8_t> is_duplicate = find_duplicates(documents);
    std::erase_if(kept, [&](std::uint32_t document) { return is_duplicate[document] != 0; });
    mixture.duplicates = documents.size() - kept.size();
  }
  const std::size_t before = kept.size();
  std::erase_if(kept, [&](std::uint32_t document) {
    const auto scored = documents.document(document).scored;
    // The first token has nothing before it to be predicted from.
    return scored.empty() || std::find(scored.begin() + 1, scored.end(), 1) == scored.end();
  });
  mixture.unscored = before - kept.size();
  // Seeds of their own, so that no two of these choices are the same one.
  constexpr std::uint64_t for_validation = 0x76616c6964617465ull, for_weights = 0x7765696768746564ull;
  const std::size_t held_back = validation_count(rules.validation, kept.size());
  const std::vector<std::uint8_t> is_held_back = drawn(kept.size(), held_back, rules.seed ^ for_validation);
  std::size_t at = 0;
  for (std::size_t source = 0; source < rules.ends.size(); ++source) {
    std::vector<std::uint32_t> of_source;
    for (; at < kept.size() && kept[at] < rules.ends[source]; ++at)
      (is_held_back[at] ? mixture.validation : of_source).push_back(kept[at]);
    const double weight = rules.weights[source], whole = std::floor(weight);
    for (auto copies = static_cast<std::int64_t>(whole); copies > 0; --copies)
      mixture.training.insert(mixture.training.end(), of_source.begin(), of_source.end());
    const auto more =
        static_cast<std::size_t>(std::llround((weight - whole) * static_cast<double>(of_source.size())));
    const std::vector<std::uint8_t> again =
        drawn(of_source.size(), more, rules.seed ^ (for_weights + source));
    for (std::size_t i = 0; i < of_source.size(); ++i)
      if (again[i]) mixture.training.push_back(of_source[i]);
  }
  return mixture;
}

}  // namespace trireme::io
