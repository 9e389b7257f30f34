// render_template: reads lines {"source": template, "context": {…}} and writes {"text": …} or {"error": …}
// for each; for comparing with Jinja itself over templates that are not ours to keep.
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "core/error.h"
#include "io/template/template.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = boost::json::parse(line).as_object();
    boost::json::object answer;
    try {
      const trireme::io::Template parsed(std::string_view(request.at("source").as_string()), "template");
      constexpr std::chrono::sys_seconds then{std::chrono::sys_days{std::chrono::year{2024} / 7 / 26}};
      answer["text"] = parsed.render(trireme::io::jinja::from_json(request.at("context")), then);
    } catch (const trireme::Error& error) {
      answer["error"] = error.what();
    }
    std::cout << boost::json::serialize(answer) << "\n";
  }
}
