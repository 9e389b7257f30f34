#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "io/template/parser.h"

namespace trireme::io::jinja {

void LexemeReader::expect_sign(std::string_view sign) {
  if (!take_sign(sign)) fault(fmt::format("'{}' is expected, not {}", sign, here()));
}

void LexemeReader::expect(Lexeme::Kind kind, std::string_view what) {
  if (peek().kind != kind) fault(fmt::format("{} is expected, not {}", what, here()));
  take();
}

std::string LexemeReader::expect_name() {
  if (peek().kind != Lexeme::Kind::name) fault(fmt::format("a name is expected, not {}", here()));
  return take().text;
}

std::string LexemeReader::here() const {
  switch (peek().kind) {
    case Lexeme::Kind::name:
    case Lexeme::Kind::sign:
      return fmt::format("'{}'", peek().text.substr(0, 60));
    case Lexeme::Kind::constant:
      return "a constant";
    case Lexeme::Kind::close_tag:
      return "%}";
    case Lexeme::Kind::close_output:
      return "}}";
    default:
      return "the end of the template";
  }
}

namespace {

using Kind = Statement::Kind;

class StatementParser {
 public:
  explicit StatementParser(LexemeReader reader) : reader_(std::move(reader)) {}

  Body whole() {
    Body body = until({});
    if (reader_.peek().kind != Lexeme::Kind::end)
      reader_.fault(fmt::format("{} closes nothing", reader_.here()));
    return body;
  }

 private:
  /// Statements up to a tag of one of these names; the reader stands at the name then.
  Body until(std::initializer_list<std::string_view> ends) {
    const Nesting nesting(reader_, depth_);
    Body body;
    while (true) {
      switch (reader_.peek().kind) {
        case Lexeme::Kind::text: {
          Statement text = begin(Kind::text);
          text.text = reader_.take().text;
          body.push_back(std::move(text));
          break;
        }
        case Lexeme::Kind::open_output: {
          reader_.take();
          Statement output = begin(Kind::output);
          output.value = expressions_.tuple();
          reader_.expect(Lexeme::Kind::close_output, "}}");
          body.push_back(std::move(output));
          break;
        }
        case Lexeme::Kind::open_tag: {
          const Lexeme& name = reader_.peek(1);
          const bool is_end =
              std::any_of(ends.begin(), ends.end(), [&](auto end) { return name.is_name(end); });
          if (is_end) {
            reader_.take();
            return body;
          }
          tag(body);
          break;
        }
        default:
          if (ends.size() > 0)
            reader_.fault(fmt::format("{{% {} %}} is expected, not {}", *(ends.end() - 1), reader_.here()));
          return body;
      }
    }
  }

  Statement begin(Kind kind) const {
    Statement statement{};
    statement.kind = kind, statement.line = reader_.line();
    return statement;
  }
  void close_tag() { reader_.expect(Lexeme::Kind::close_tag, "%}"); }
  void end_tag(std::string_view name) {
    if (!reader_.take_name(name)) reader_.fault(fmt::format("{} is expected, not {}", name, reader_.here()));
    close_tag();
  }

  void tag(Body& body) {
    reader_.take();
    const int line = reader_.line();
    const std::string name = reader_.expect_name();
    if (name == "if") {
      body.push_back(condition());
    } else if (name == "for") {
      body.push_back(loop());
    } else if (name == "set") {
      body.push_back(assignment());
    } else if (name == "macro") {
      body.push_back(macro());
    } else if (name == "with") {
      body.push_back(scope());
    } else if (name == "generation") {
      Statement plain = begin(Kind::plain);
      close_tag();
      plain.body = until({"endgeneration"});
      end_tag("endgeneration");
      body.push_back(std::move(plain));
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) throw SyntaxFault{line, fmt::format("{} stands outside of a for", name)};
      body.push_back(begin(name == "break" ? Kind::stop : Kind::next));
      close_tag();
    } else {
      throw SyntaxFault{line, fmt::format("the tag {} is not supported", name.substr(0, 60))};
    }
  }

  Statement condition() {
    Statement statement = begin(Kind::condition);
    for (bool more = true; more;) {
      Branch branch;
      branch.condition = expressions_.tuple();
      close_tag();
      branch.body = until({"elif", "else", "endif"});
      statement.branches.push_back(std::move(branch));
      more = reader_.take_name("elif");
    }
    if (reader_.take_name("else")) {
      close_tag();
      Branch otherwise;
      otherwise.body = until({"endif"});
      statement.branches.push_back(std::move(otherwise));
    }
    end_tag("endif");
    return statement;
  }

  std::vector<Target> targets(bool with_members) {
    std::vector<Target> all;
    const bool closed = reader_.take_sign("(");
    do {
      if (!all.empty() && (reader_.peek().is_name("in") || reader_.peek().is_sign("="))) break;
      Target target{reader_.expect_name(), ""};
      if (with_members && reader_.take_sign(".")) target.member = reader_.expect_name();
      if (target.name == "loop" || target.name == "true" || target.name == "false" || target.name == "none")
        reader_.fault(fmt::format("{} cannot be assigned to", target.name));
      all.push_back(std::move(target));
    } while (reader_.take_sign(","));
    if (closed) reader_.expect_sign(")");
    return all;
  }

  Statement loop() {
    Statement statement = begin(Kind::loop);
    statement.targets = targets(false);
    if (!reader_.take_name("in")) reader_.fault(fmt::format("'in' is expected, not {}", reader_.here()));
    statement.value = expressions_.iterated();
    if (reader_.take_name("if")) statement.filter = expressions_.expression();
    if (reader_.peek().is_name("recursive")) reader_.fault("a recursive for is not supported");
    close_tag();
    ++loops_;
    statement.body = until({"else", "endfor"});
    --loops_;
    if (reader_.take_name("else")) {
      close_tag();
      statement.otherwise = until({"endfor"});
    }
    end_tag("endfor");
    return statement;
  }

  Statement assignment() {
    Statement statement = begin(Kind::assign);
    statement.targets = targets(true);
    if (reader_.take_sign("=")) {
      statement.value = expressions_.tuple();
      close_tag();
      return statement;
    }
    statement.kind = Kind::assign_block;
    if (statement.targets.size() != 1) reader_.fault("a block is assigned to one name");
    if (reader_.peek().is_sign("|")) {
      Expression block{};
      block.kind = Expression::Kind::name, block.line = reader_.line();
      statement.value = expressions_.filters(std::make_unique<const Expression>(std::move(block)));
    }
    close_tag();
    statement.body = until({"endset"});
    end_tag("endset");
    return statement;
  }

  Statement macro() {
    Statement statement = begin(Kind::macro);
    statement.text = reader_.expect_name();
    reader_.expect_sign("(");
    while (!reader_.take_sign(")")) {
      if (!statement.parameters.empty()) reader_.expect_sign(",");
      Parameter parameter{reader_.expect_name(), nullptr};
      if (reader_.take_sign("=")) parameter.fallback = expressions_.expression();
      statement.parameters.push_back(std::move(parameter));
    }
    close_tag();
    const int loops = std::exchange(loops_, 0);
    statement.body = until({"endmacro"});
    loops_ = loops;
    end_tag("endmacro");
    return statement;
  }

  Statement scope() {
    Statement statement = begin(Kind::scope);
    while (reader_.peek().kind == Lexeme::Kind::name) {
      statement.targets.push_back({reader_.take().text, ""});
      reader_.expect_sign("=");
      statement.values.push_back(expressions_.expression());
      if (!reader_.take_sign(",")) break;
    }
    close_tag();
    statement.body = until({"endwith"});
    end_tag("endwith");
    return statement;
  }

  LexemeReader reader_;
  ExpressionParser expressions_{reader_};
  int depth_ = 0, loops_ = 0;
};

}  // namespace

Body parse(std::string_view source) {
  return StatementParser(LexemeReader(cut(source))).whole();
}

}  // namespace trireme::io::jinja
