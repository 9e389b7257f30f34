#include "io/template/conditions.h"

#include <algorithm>
#include <array>

#include "io/template/letters.h"
#include "io/template/operators.h"
#include "io/template/python_text.h"

namespace trireme::io::jinja {
namespace {

using Call = ConditionCall;

bool is_whole(const Call& call) {
  return call.value.integer() != nullptr;
}
bool is_real(const Call& call) {
  return call.value.get_if<double>() != nullptr;
}
bool is_boolean(const Call& call) {
  return call.value.get_if<bool>() != nullptr;
}
bool is_number(const Call& call) {
  return is_whole(call) || is_real(call) || is_boolean(call);
}
bool is_text(const Call& call) {
  return call.value.text() != nullptr;
}
bool is_mapping(const Call& call) {
  return call.value.mapping() != nullptr;
}
/// Undefined can be walked over in Jinja, and has a length.
bool is_iterable(const Call& call) {
  return call.value.sequence() || is_mapping(call) || is_text(call) || call.value.is_undefined();
}
bool is_defined(const Call& call) {
  return !call.value.is_undefined();
}
bool is_undefined(const Call& call) {
  return call.value.is_undefined();
}
bool is_none(const Call& call) {
  return call.value.is_none();
}
bool is_callable(const Call& call) {
  return call.value.get_if<std::shared_ptr<const Callable>>() != nullptr;
}

template <bool wanted>
bool is_exactly(const Call& call) {
  const bool* boolean = call.value.get_if<bool>();
  return boolean && *boolean == wanted;
}

std::int64_t rest_of(const Call& call, const Value& divisor) {
  const Value rest = arithmetic("%", call.value, divisor, call.runtime);
  std::int64_t number = 1;
  as_integer(rest, number);
  return number;
}
bool is_even(const Call& call) {
  return rest_of(call, std::int64_t{2}) == 0;
}
bool is_odd(const Call& call) {
  return rest_of(call, std::int64_t{2}) == 1;
}
bool is_divisible(const Call& call) {
  return rest_of(call, call.arguments.at(0, "num", "divisibleby")) == 0;
}

bool equals(const Call& call) {
  return compare("==", call.value, call.arguments.at(0, "other", "eq"), call.runtime);
}
bool differs(const Call& call) {
  return compare("!=", call.value, call.arguments.at(0, "other", "ne"), call.runtime);
}
bool is_less(const Call& call) {
  return compare("<", call.value, call.arguments.at(0, "other", "lt"), call.runtime);
}
bool is_at_most(const Call& call) {
  return compare("<=", call.value, call.arguments.at(0, "other", "le"), call.runtime);
}
bool is_greater(const Call& call) {
  return compare(">", call.value, call.arguments.at(0, "other", "gt"), call.runtime);
}
bool is_at_least(const Call& call) {
  return compare(">=", call.value, call.arguments.at(0, "other", "ge"), call.runtime);
}
bool is_in(const Call& call) {
  return compare("in", call.value, call.arguments.at(0, "seq", "in"), call.runtime);
}
bool is_same(const Call& call) {
  const Value& other = call.arguments.at(0, "other", "sameas");
  return call.value.data().index() == other.data().index() && equal(call.value, other, call.runtime);
}

bool is_upper(const Call& call) {
  const std::string text = to_text(call.value, call.runtime);
  return to_upper(text) == text && to_lower(text) != text;
}
bool is_lower(const Call& call) {
  const std::string text = to_text(call.value, call.runtime);
  return to_lower(text) == text && to_upper(text) != text;
}

struct Entry {
  std::string_view name;
  Condition condition;
};

constexpr std::array conditions{Entry{"defined", is_defined},
                                Entry{"undefined", is_undefined},
                                Entry{"none", is_none},
                                Entry{"string", is_text},
                                Entry{"mapping", is_mapping},
                                Entry{"iterable", is_iterable},
                                Entry{"sequence", is_iterable},
                                Entry{"number", is_number},
                                Entry{"integer", is_whole},
                                Entry{"float", is_real},
                                Entry{"boolean", is_boolean},
                                Entry{"true", is_exactly<true>},
                                Entry{"false", is_exactly<false>},
                                Entry{"callable", is_callable},
                                Entry{"even", is_even},
                                Entry{"odd", is_odd},
                                Entry{"divisibleby", is_divisible},
                                Entry{"upper", is_upper},
                                Entry{"lower", is_lower},
                                Entry{"sameas", is_same},
                                Entry{"in", is_in},
                                Entry{"eq", equals},
                                Entry{"equalto", equals},
                                Entry{"ne", differs},
                                Entry{"lt", is_less},
                                Entry{"lessthan", is_less},
                                Entry{"le", is_at_most},
                                Entry{"gt", is_greater},
                                Entry{"greaterthan", is_greater},
                                Entry{"ge", is_at_least}};

}  // namespace

Condition condition_named(std::string_view name) {
  const auto* const found = std::find_if(conditions.begin(), conditions.end(),
                                         [&](const Entry& entry) { return entry.name == name; });
  return found == conditions.end() ? nullptr : found->condition;
}

}  // namespace trireme::io::jinja
