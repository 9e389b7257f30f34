#include "io/template/template.h"

#include <boost/json.hpp>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using trireme::testing::message_of;

const std::filesystem::path golden = std::filesystem::path(TRIREME_GOLDEN) / "templates";
/// The day at which make_templates.py lets the clock stand.
constexpr std::chrono::sys_seconds then{std::chrono::sys_days{std::chrono::year{2024} / 7 / 26}};

std::string rendered(const std::string& source, const boost::json::value& context = boost::json::object()) {
  return Template(source, "test").render(jinja::from_json(context), then);
}

/// Templates in the manner of the families' own over many chats, and every construct that they use, against
/// what transformers' environment made of them.
TEST(Template, WritesWhatTransformersWrites) {
  const auto cases = boost::json::parse(testing::read_file(golden / "expected.json")).as_array();
  ASSERT_GE(cases.size(), 300u);
  std::size_t refused = 0;
  for (const auto& one : cases) {
    const auto& object = one.as_object();
    const bool is_file = object.contains("template");
    const std::string name(object.at(is_file ? "template" : "source").as_string());
    const std::string source = is_file ? testing::read_file(golden / name) : name;
    SCOPED_TRACE(name + " " + boost::json::serialize(object.at("context").at("messages")));
    if (object.contains("error")) {
      ++refused;
      EXPECT_THROW(rendered(source, object.at("context")), Error);
    } else {
      std::string text;
      EXPECT_NO_THROW(text = rendered(source, object.at("context")));
      EXPECT_EQ(text, std::string(object.at("text").as_string()));
    }
  }
  EXPECT_GE(refused, 20u);
}

TEST(Template, FaultsNameTheLine) {
  EXPECT_THAT(
      message_of(ExitCode::configuration, [] { rendered("a\n{% if x %}\n{{ 'b' | upcase }}{% endif %}"); }),
      AllOf(HasSubstr("test: line 3"), HasSubstr("the filter upcase is not known")));
  EXPECT_THAT(message_of(ExitCode::configuration, [] { rendered("{% if true %}\n\n{% endfor %}"); }),
              AllOf(HasSubstr("line 3"), HasSubstr("endfor")));
  EXPECT_THAT(message_of(ExitCode::configuration, [] { rendered("\n{% include 'x' %}"); }),
              AllOf(HasSubstr("line 2"), HasSubstr("the tag include is not supported")));
  EXPECT_THAT(message_of(ExitCode::damaged, [] { rendered("\n\n{{ nobody.name }}"); }),
              AllOf(HasSubstr("line 3"), HasSubstr("nobody is not defined")));
  EXPECT_THAT(
      message_of(ExitCode::damaged, [] { rendered("\n{{ raise_exception('roles must alternate') }}"); }),
      AllOf(HasSubstr("line 2"), HasSubstr("roles must alternate")));
}

TEST(Template, AHostileOneEnds) {
  const auto ends = [](const std::string& source) {
    EXPECT_THROW(rendered(source), Error) << source.substr(0, 100);
  };
  ends("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
  ends("{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}");
  ends("{{ 'x' * 99999999999 }}");
  ends("{{ [[1] * 99999] * 99999 }}");
  ends("{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}");
  ends("{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}");
  ends(
      "{% set n = namespace(l=[1]) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l "
      "}}");
  ends(
      "{% set n = namespace(l=[1]) %}{% set m = namespace(l=[1]) %}{% for i in range(90) %}{% set n.l = "
      "[n.l, n.l] %}"
      "{% set m.l = [m.l, m.l] %}{% endfor %}{{ n.l == m.l }}");
  ends("{{ 9 ** 9 ** 9 ** 9 }}");
  ends("{{ 9223372036854775807 + 1 }}");
  ends("{{ -9223372036854775807 - 2 }}");
  ends("{{ " + std::string(5000, '(') + std::string(5000, ')') + " }}");
  ends("{{ " + std::string(5000, '-') + "1 }}");
  std::string nested, sum = "{{ 1", chain = "{{ x";
  for (int i = 0; i < 5000; ++i) nested += "{% if 1 %}", sum += " + 1", chain += ".x";
  ends(nested);
  ends(sum + " }}");
  ends(chain + " }}");
  ends("\xff");
}

}  // namespace
}  // namespace trireme::io
