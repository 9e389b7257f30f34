#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "comm/bench/json_line.h"
#include "comm/bench/pair_bench.h"
#include "comm/bench/record.h"

namespace trireme::comm::bench {
namespace {

constexpr std::size_t widest_matrix = 32;

const PairResult* find(const PairReport& report, std::size_t from, std::size_t to) {
  const std::size_t ranks = report.node_of_rank.size();
  return from == to ? nullptr : &report.pairs[from * (ranks - 1) + to - (to > from)];
}

std::string matrix(const PairReport& report, std::string_view title, double PairResult::*value,
                   bool Verdict::*mark) {
  const std::size_t ranks = report.node_of_rank.size();
  std::string text = fmt::format("# {}\n{:>8}", title, "from\\to");
  for (std::size_t to = 0; to < ranks; ++to) text += fmt::format(" {:>8}", to);
  for (std::size_t from = 0; from < ranks; ++from) {
    text += fmt::format("\n{:>8}", from);
    for (std::size_t to = 0; to < ranks; ++to) {
      const PairResult* pair = find(report, from, to);
      if (!pair) {
        text += fmt::format(" {:>8}", "-");
        continue;
      }
      const bool marked = report.verdicts[static_cast<std::size_t>(pair - report.pairs.data())].*mark;
      text += fmt::format(" {:>7}{}", figure(pair->*value), marked ? '*' : ' ');
    }
  }
  return text + "\n";
}

std::string class_lines(const PairReport& report) {
  std::string text;
  for (const bool same_node : {true, false})
    for (std::size_t i = 0; i < report.pairs.size(); ++i) {
      if (report.verdicts[i].same_node != same_node) continue;
      text += fmt::format("# {} {}: usual are {} us, {} GB/s\n", report.backend,
                          same_node ? "inside a node" : "across nodes",
                          figure(report.verdicts[i].usual_latency_us), figure(report.verdicts[i].usual_gb_s));
      break;
    }
  return text;
}

}  // namespace

std::string text_of(const PairReport& report) {
  std::string text = "\n";
  if (report.node_of_rank.size() <= widest_matrix) {
    text += matrix(report, fmt::format("{}: latency of {} bytes (us)", report.backend, exchanged_bytes),
                   &PairResult::latency_us, &Verdict::late);
    text += matrix(
        report,
        fmt::format("{}: rate one way, messages of {} bytes (GB/s)", report.backend, report.message_bytes),
        &PairResult::gb_s, &Verdict::slow);
  }
  text += class_lines(report);
  for (std::size_t i = 0; i < report.pairs.size(); ++i) {
    const PairResult& pair = report.pairs[i];
    const Verdict& verdict = report.verdicts[i];
    if (!verdict.falls_out()) continue;
    text += fmt::format(
        "* rank {} ({}) to rank {} ({}): {} us, {} GB/s; usual in its class are {} us, "
        "{} GB/s\n",
        pair.from, report.host_of_rank[static_cast<std::size_t>(pair.from)], pair.to,
        report.host_of_rank[static_cast<std::size_t>(pair.to)], figure(pair.latency_us), figure(pair.gb_s),
        figure(verdict.usual_latency_us), figure(verdict.usual_gb_s));
  }
  if (std::ranges::none_of(report.verdicts, &Verdict::falls_out))
    return text + fmt::format("# {}: no pair falls out\n", report.backend);
  for (const auto& [measure, words] : {std::pair{&Verdict::slow, "rate"}, {&Verdict::late, "latency"}})
    for (const std::string& name : suspects(report.pairs, report.verdicts, measure, report.node_of_rank))
      text += fmt::format("# {}: falls out in {}: {}\n", report.backend, words, name);
  return text;
}

std::vector<std::string> json_of(const PairReport& report) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < report.pairs.size(); ++i) {
    const PairResult& pair = report.pairs[i];
    const Verdict& verdict = report.verdicts[i];
    JsonLine line;
    line.add("collective", "pair")
        .add("backend", report.backend)
        .add("ranks", 2)
        .add("nodes", verdict.same_node ? 1 : 2);
    line.add("bytes", report.message_bytes).add("time_us", double(report.message_bytes) / pair.gb_s / 1e3);
    line.add("algbw_gb_s", pair.gb_s).add("busbw_gb_s", pair.gb_s).add("limit_gb_s", verdict.usual_gb_s);
    line.add("from", pair.from).add("to", pair.to).add("latency_us", pair.latency_us);
    line.add("usual_latency_us", verdict.usual_latency_us)
        .add("slow", verdict.slow)
        .add("late", verdict.late);
    line.add("from_host", report.host_of_rank[static_cast<std::size_t>(pair.from)]);
    line.add("to_host", report.host_of_rank[static_cast<std::size_t>(pair.to)]);
    lines.push_back(line.text());
  }
  return lines;
}

}  // namespace trireme::comm::bench
