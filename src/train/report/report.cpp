#include "train/report/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "core/bytes.h"
#include "train/report/chart.h"
#include "train/report/memory_bars.h"
#include "train/report/screen.h"
#include "train/report/style.h"

namespace trireme::train {
namespace {

constexpr int colours = 6;

std::string date_and_time(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::string name_of(const RunRecord& run) {
  const auto folder = std::filesystem::absolute(run.folder).lexically_normal();
  return folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
}

int colour_of(std::size_t run) {
  return static_cast<int>(run % colours);
}

double middle_rate(const RunRecord& run) {
  std::vector<double> rates;
  for (const StepMetrics& step : run.steps) rates.push_back(step.tokens_per_s);
  if (rates.empty()) return 0;
  std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2), rates.end());
  return rates[rates.size() / 2];
}

std::string card(const RunRecord& run, std::size_t index) {
  const StepMetrics last = run.steps.empty() ? StepMetrics{} : run.steps.back();
  std::int64_t tokens = 0, memory = 0;
  for (const StepMetrics& step : run.steps) tokens += step.tokens, memory = std::max(memory, step.host_bytes);
  const auto restarts = std::count_if(run.events.begin(), run.events.end(),
                                      [](const RunEvent& event) { return event.kind == "resume"; });
  std::string out = fmt::format(
      "<div class=\"card\"><div class=\"name\"><span class=\"dot b{}\"></span><b>{}</b><span class=\"state "
      "{}\">{}"
      "</span></div><div class=\"faint\">{}</div><div class=\"figures\">",
      colour_of(index), escaped(name_of(run)), escaped(run.status.state), escaped(run.status.state),
      escaped(run.status.message));
  const std::string steps = run.status.total_steps > 0
                                ? fmt::format("{} of {}", last.step, run.status.total_steps)
                                : fmt::format("{}", last.step);
  const double seconds =
      run.steps.size() > 1 && run.steps.front().time > 0 ? last.time - run.steps.front().time : 0;
  const std::pair<const char*, std::string> figures[]{
      {"steps", steps},
      {"last loss", fmt::format("{:.5g}", last.loss)},
      {"tokens scored", short_number(static_cast<double>(tokens))},
      {"tokens/s (median)", short_number(middle_rate(run))},
      {"from first to last step", seconds > 0 ? duration(seconds) : "–"},
      {"times resumed", fmt::format("{}", restarts)},
      {"host memory, first rank", memory > 0 ? human_bytes(static_cast<double>(memory)) : "–"},
  };
  for (const auto& [label, value] : figures)
    out += fmt::format("<div><b>{}</b><span>{}</span></div>", escaped(value), label);
  return out + "</div></div>\n";
}

Chart chart_of(const std::vector<RunRecord>& runs, const char* title, const char* unit,
               double (*value)(const StepMetrics&)) {
  Chart chart{title, unit, {}, {}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Series series = series_of(runs[i].steps, value);
    if (series.size() > 0) chart.curves.push_back({name_of(runs[i]), colour_of(i), std::move(series)});
    if (runs.size() > 1) continue;
    for (const RunEvent& event : runs[i].events)
      if (event.kind == "resume" || event.kind == "failed" || event.kind == "lost" || event.kind == "stopped")
        chart.marks.push_back({static_cast<double>(event.step), event.kind, event.kind + ": " + event.text});
  }
  return chart;
}

Chart chart_of_sets(const std::vector<RunRecord>& runs, const char* title, const char* unit,
                    std::optional<double> (*value)(const Evaluation&)) {
  Chart chart{title, unit, {}, {}};
  for (const RunRecord& run : runs) {
    std::vector<std::string> sets;
    for (const StepMetrics& step : run.steps)
      for (const Evaluation& evaluation : step.evaluations)
        if (std::find(sets.begin(), sets.end(), evaluation.set) == sets.end()) sets.push_back(evaluation.set);
    for (const std::string& set : sets) {
      Series series;
      for (const StepMetrics& step : run.steps)
        for (const Evaluation& evaluation : step.evaluations) {
          const std::optional<double> y = evaluation.set == set ? value(evaluation) : std::nullopt;
          if (!y || !std::isfinite(*y)) continue;
          series.x.push_back(static_cast<double>(step.step)), series.y.push_back(*y);
        }
      if (series.size() == 0) continue;
      const std::string name = runs.size() > 1 ? name_of(run) + " " + set : set;
      chart.curves.push_back({name, colour_of(chart.curves.size()), std::move(series)});
    }
  }
  return chart;
}

std::string evaluation_charts(const std::vector<RunRecord>& runs) {
  using Value = std::optional<double>;
  std::string out;
  out += svg_of(chart_of_sets(runs, "Evaluation loss", "per scored token",
                              [](const Evaluation& e) { return Value(e.loss); }));
  out += svg_of(
      chart_of_sets(runs, "Perplexity", "", [](const Evaluation& e) { return Value(perplexity_of(e)); }));
  out += svg_of(chart_of_sets(runs, "Token accuracy", "of scored tokens",
                              [](const Evaluation& e) { return Value(e.token_accuracy); }));
  out += svg_of(
      chart_of_sets(runs, "Exact match", "of answers", [](const Evaluation& e) { return e.exact_match; }));
  out += svg_of(chart_of_sets(runs, "ROUGE-L", "of answers", [](const Evaluation& e) { return e.rouge_l; }));
  return out;
}

std::string charts(const std::vector<RunRecord>& runs) {
  std::string out = "<div class=\"charts\">\n";
  out += svg_of(chart_of(runs, "Loss", "per scored token", [](const StepMetrics& s) { return s.loss; }));
  out +=
      svg_of(chart_of(runs, "Throughput", "tokens/s", [](const StepMetrics& s) { return s.tokens_per_s; }));
  out += evaluation_charts(runs);
  out += svg_of(chart_of(runs, "Learning rate", "", [](const StepMetrics& s) { return s.learning_rate; }));
  out += svg_of(
      chart_of(runs, "Gradient norm", "before clipping", [](const StepMetrics& s) { return s.grad_norm; }));
  const auto has_memory = [](const RunRecord& run) {
    return !run.steps.empty() && run.steps.back().host_bytes > 0;
  };
  if (std::all_of(runs.begin(), runs.end(), has_memory))
    out += svg_of(chart_of(runs, "Host memory of the first rank", "GiB", [](const StepMetrics& s) {
      return static_cast<double>(s.host_bytes) / static_cast<double>(1 << 30);
    }));
  return out + "</div>\n";
}

std::string events(const std::vector<RunRecord>& runs) {
  constexpr std::size_t most_rows = 200;
  std::string rows;
  std::size_t count = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::size_t first = runs[i].events.size() > most_rows ? runs[i].events.size() - most_rows : 0;
    if (first > 0)
      rows += fmt::format(
          "<tr><td colspan=\"5\" class=\"faint\">{} earlier ones of {} are in events.jsonl</td></tr>\n",
          first, escaped(name_of(runs[i])));
    for (; first < runs[i].events.size(); ++first, ++count) {
      RunEvent event = runs[i].events[first];
      std::size_t alike = 0;
      for (; event.kind == "save" && first + 1 < runs[i].events.size() &&
             runs[i].events[first + 1].kind == "save";
           ++first, ++alike)
        event = runs[i].events[first + 1];
      if (alike > 0) event.text += fmt::format(", and {} before it", alike);
      rows += fmt::format(
          "<tr><td><span class=\"dot b{}\" style=\"display:inline-block\"></span></td><td>{}</td><td "
          "class=\"{}\">{}</td><td>{}</td><td>{}</td></tr>\n",
          colour_of(i), date_and_time(event.time), escaped(event.kind), escaped(event.kind), event.step,
          escaped(event.text));
    }
  }
  if (count == 0) return "";
  return "<h2>What happened</h2>\n<table id=\"events\"><tr><th></th><th>time</th><th>event</th><th>after "
         "step</th><th></th></tr>\n" +
         rows + "</table>\n";
}

/// A row for each thing that any run says of where it ran; rows in which runs differ are marked.
std::string environment(const std::vector<RunRecord>& runs) {
  std::vector<std::string> keys;
  std::map<std::pair<std::string, std::size_t>, std::string> said;
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (const auto& [key, value] : runs[i].environment) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
      said[{key, i}] = value;
    }
  if (keys.empty()) return "";
  std::string out = "<h2>Where it ran</h2>\n<table id=\"environment\"><tr><th></th>";
  for (const RunRecord& run : runs) out += "<th>" + escaped(name_of(run)) + "</th>";
  out += "</tr>\n";
  for (const std::string& key : keys) {
    std::set<std::string> different;
    std::string cells;
    for (std::size_t i = 0; i < runs.size(); ++i)
      different.insert(said[{key, i}]), cells += "<td>" + escaped(said[{key, i}]) + "</td>";
    out += fmt::format("<tr{}><td>{}</td>{}</tr>\n", different.size() > 1 ? " class=\"differs\"" : "",
                       escaped(key), cells);
  }
  return out + "</table>\n";
}

std::string memory(const std::vector<RunRecord>& runs) {
  std::string out;
  for (const RunRecord& run : runs) {
    const std::string bars = memory_bars(run.memory);
    if (bars.empty()) continue;
    out += fmt::format("<figure class=\"memory\"><figcaption>{}</figcaption>{}</figure>\n",
                       escaped(name_of(run)), bars);
  }
  return out.empty() ? "" : "<h2>Memory of the first rank, by tier</h2>\n" + out;
}

/// The picture is drawn by `train --trace`; what could act in a page is no picture of ours.
std::string gantt(const std::vector<RunRecord>& runs) {
  std::string out;
  for (const RunRecord& run : runs) {
    if (!run.gantt.starts_with("<svg ") || run.gantt.find("<script") != std::string::npos) continue;
    out += fmt::format("<figure class=\"gantt\"><figcaption>{}</figcaption>{}</figure>\n",
                       escaped(name_of(run)), run.gantt);
  }
  return out.empty() ? "" : "<h2>A step, as it ran over as it was foretold</h2>\n" + out;
}

std::string configuration(const std::vector<RunRecord>& runs) {
  std::string out = "<h2>What it was told</h2>\n";
  for (const RunRecord& run : runs)
    out += fmt::format("<details{}><summary>{}</summary><pre>{}</pre></details>\n",
                       runs.size() == 1 ? " open=\"open\"" : "", escaped(name_of(run)), escaped(run.job));
  return out;
}

}  // namespace

std::string report_page(const std::vector<RunRecord>& runs) {
  std::string title;
  for (const RunRecord& run : runs) title += (title.empty() ? "" : ", ") + name_of(run);
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\"><head><meta "
      "charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><title>" +
      escaped(title) + " – trireme</title>\n<style>" + std::string(report_style()) +
      "</style></head>\n<body>\n";
  page += fmt::format("<h1>{}</h1>\n<div class=\"faint\">trireme report, {}</div>\n<div class=\"cards\">\n",
                      escaped(title), date_and_time(seconds_since_1970()));
  for (std::size_t i = 0; i < runs.size(); ++i) page += card(runs[i], i);
  page += "</div>\n" + charts(runs) + memory(runs) + gantt(runs) + events(runs) + environment(runs) +
          configuration(runs);
  return page + "<script>" + std::string(report_script()) + "</script>\n</body></html>\n";
}

}  // namespace trireme::train
