#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "io/data/chat_format.h"
#include "io/template/value.h"

namespace trireme::io {

/// One message as a template sees it.
struct Message {
  jinja::Value value;
  std::string role, content;
  /// It holds a role and a text alone: no calls of tools, no reasoning.
  bool is_plain = false;
  bool scored = false;
  /// Its place in the text must be known.
  bool wanted = false;

  jinja::Value with_content(std::string text) const;
  /// The role and this text, nothing else.
  jinja::Value with_content_alone(std::string text) const;
};

struct Conversation {
  std::vector<Message> messages;
  jinja::Value tools;
  std::string where;
};

/// The messages of a row by the names that `format` gives; members that are null count as absent. Throws an
/// Error (damaged) that names `where`.
Conversation read_conversation(const ChatFormat& format, bool train_on_inputs, const boost::json::object& row,
                               const std::string& where);

}  // namespace trireme::io
