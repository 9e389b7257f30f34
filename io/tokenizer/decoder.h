#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <variant>
#include <vector>

namespace trireme::io {

/// The "decoder" of a tokenizer.json: from the spelling of tokens back to text.
class Decoder {
 public:
  Decoder() = default;
  explicit Decoder(const boost::json::value& description);
  std::string decode(std::vector<std::string> tokens) const;

 private:
  struct ByteLevel {};
  struct ByteFallback {};
  struct Fuse {};
  struct Replace {
    std::string what, with;
  };
  struct Strip {
    std::string what;
    std::size_t start, stop;
  };
  struct Metaspace {
    std::string replacement;
    bool drop_first;
  };
  using Step = std::variant<ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace>;

  void add(const boost::json::value& description);
  static void apply(const ByteLevel&, std::vector<std::string>& tokens);
  static void apply(const ByteFallback&, std::vector<std::string>& tokens);
  static void apply(const Fuse&, std::vector<std::string>& tokens);
  static void apply(const Replace& step, std::vector<std::string>& tokens);
  static void apply(const Strip& step, std::vector<std::string>& tokens);
  static void apply(const Metaspace& step, std::vector<std::string>& tokens);

  std::vector<Step> steps_;
};

}  // namespace trireme::io
