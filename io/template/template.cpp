#include "io/template/template.h"

#include "core/error.h"
#include "io/template/parser.h"
#include "io/template/renderer.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {

struct Template::Parsed {
  jinja::Body body;
};

Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Template::Template(std::string_view source, std::string where) : where_(std::move(where)) {
  constexpr std::size_t longest = 1 << 20;
  if (source.size() > longest)
    fail(ExitCode::configuration, "{}: the template has {} bytes; at most {} are read", where_, source.size(),
         longest);
  if (unicode::valid_prefix(source) != source.size())
    fail(ExitCode::configuration, "{}: the template is not valid UTF-8", where_);
  try {
    parsed_ = std::make_unique<const Parsed>(Parsed{jinja::parse(source)});
  } catch (const jinja::SyntaxFault& fault) {
    fail(ExitCode::configuration, "{}: line {} of the template: {}", where_, fault.line, fault.message);
  } catch (const Error& error) {
    fail(ExitCode::configuration, "{}: the template: {}", where_, error.what());
  }
}

std::string Template::render(const jinja::Value& context, std::chrono::sys_seconds now) const {
  require(context.mapping() != nullptr, "a template is rendered with a dictionary");
  jinja::Runtime runtime(now);
  jinja::Renderer renderer(parsed_->body, *context.mapping(), runtime);
  try {
    return renderer.run();
  } catch (const Error& error) {
    fail(ExitCode::damaged, "{}: line {} of the template: {}", where_, renderer.line(), error.what());
  }
}

}  // namespace trireme::io
