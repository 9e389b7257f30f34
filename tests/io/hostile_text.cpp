#include "tests/io/hostile_text.h"

#include <utility>

#include "io/tokenizer/unicode.h"

namespace trireme::tests {
namespace {

using namespace std::string_literals;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>((state_ >> 33) % n);
  }

 private:
  std::uint64_t state_;
};

const std::vector<std::pair<char32_t, char32_t>>& ranges() {
  static const std::vector<std::pair<char32_t, char32_t>> made{
      {0x61, 0x7A},      {0x41, 0x5A},       {0x30, 0x39},       {0x21, 0x2F},       {0xC0, 0x17F},
      {0x300, 0x36F},    {0x391, 0x3C9},     {0x410, 0x44F},     {0x5D0, 0x5EA},     {0x621, 0x64A},
      {0x64B, 0x652},    {0x660, 0x669},     {0x905, 0x94D},     {0xE01, 0xE4E},     {0x1100, 0x1112},
      {0x1161, 0x1175},  {0x11A8, 0x11C2},   {0x1E00, 0x1EFF},   {0x2000, 0x206F},   {0x2150, 0x218F},
      {0x3000, 0x3002},  {0x3041, 0x3096},   {0x4E00, 0x4EFF},   {0xAC00, 0xACFF},   {0xFB00, 0xFB06},
      {0xFF10, 0xFF19},  {0x1D400, 0x1D433}, {0x1F1E6, 0x1F1FF}, {0x1F600, 0x1F64F}, {0x20000, 0x200FF},
      {0xE0100, 0xE010F}};
  return made;
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> made{" ",
                                             "  ",
                                             "   ",
                                             "\n",
                                             "\r\n",
                                             "\n\n",
                                             "\t",
                                             " \n",
                                             "\n ",
                                             "'s",
                                             "'T",
                                             "'re",
                                             "'VE",
                                             "'ll",
                                             "'\u017f",
                                             "don't",
                                             " the",
                                             " and",
                                             "\u00a0",
                                             "\u2028",
                                             "\u3000",
                                             "\u200d",
                                             "\ufe0f",
                                             "\U0001f468\u200d\U0001f469\u200d\U0001f467",
                                             "\U0001f44d\U0001f3fd",
                                             "<s>",
                                             "</s>",
                                             "<|end|>",
                                             "<|end",
                                             "\u2581",
                                             "e\u0301",
                                             "\u1100\u1161\u11a8",
                                             "12345",
                                             "3.14159",
                                             "0x1F",
                                             "def f(x):\n    return x\n",
                                             "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i];\n}\n",
                                             "https://example.org/a?b=c&d=%20",
                                             "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
                                             "\u4f60\u597d\u4e16\u754c",
                                             "\u00e9t\u00e9",
                                             "...",
                                             "!!!",
                                             "----",
                                             "\x00"s,
                                             "\x1f",
                                             "\x7f",
                                             "\xc2\x85",
                                             "\ufeff",
                                             "\U0010ffff"};
  return made;
}

std::string mixed(std::uint64_t seed, int pieces) {
  Draw draw(seed);
  std::string out;
  for (int piece = 0; piece < pieces; ++piece) {
    if (draw.below(3) == 0) {
      out += words()[draw.below(static_cast<std::uint32_t>(words().size()))];
      continue;
    }
    const auto [first, last] = ranges()[draw.below(static_cast<std::uint32_t>(ranges().size()))];
    const std::uint32_t letters = 1 + draw.below(6);
    for (std::uint32_t i = 0; i < letters; ++i)
      io::unicode::append(out, first + draw.below(last - first + 1));
  }
  return out;
}

std::string repeated(const std::string& what, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += what;
  return out;
}

std::string long_word() {
  Draw draw(7);
  std::string out;
  for (int i = 0; i < 300'000; ++i) out += static_cast<char>(0x61 + draw.below(26));
  return out;
}

TextGroup one(std::string name, std::string text) {
  return {std::move(name), [text = std::move(text)](const auto& use) { use(text); }};
}

}  // namespace

std::vector<TextGroup> hostile_text() {
  std::vector<TextGroup> groups;
  groups.push_back({"planes", [](const auto& use) {
                      for (char32_t base = 0; base < 0x110000; base += 64) {
                        if (base >= 0xD800 && base < 0xE000) continue;
                        std::string text;
                        for (char32_t point = base; point < base + 64; ++point)
                          io::unicode::append(text, point);
                        use(text);
                      }
                    }});
  groups.push_back({"mixed", [](const auto& use) {
                      for (std::uint64_t seed = 0; seed < 400; ++seed) use(mixed(seed, 400));
                    }});
  groups.push_back(one("one letter", std::string(1'000'000, 'a')));
  groups.push_back(one("blanks", std::string(1'000'000, ' ')));
  groups.push_back(one("newlines", std::string(100'000, '\n') + repeated(" \n", 100'000)));
  groups.push_back(one("one long word", long_word()));
  groups.push_back(one("digits", repeated("1234567890", 20'000)));
  groups.push_back(one("emoji", repeated("\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3fd", 20'000)));
  groups.push_back(one("marks", std::string("e").append(repeated("\u0301\u0323", 50'000))));
  return groups;
}

}  // namespace trireme::tests
