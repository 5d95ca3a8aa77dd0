#pragma once

#include "net/model/model.hpp"
#include "schemas/base/json.hpp"

#include <string>
#include <string_view>

/// What the wires' requests have in common.
namespace troupe::net {

/// A JSON array, appended to a text.
class array_writer {
public:
    explicit array_writer(std::string& out) : out_(out) { out_ += '['; }
    /// Where the next element is to be appended.
    std::string& next() {
        if (!first_)
            out_ += ',';
        first_ = false;
        return out_;
    }
    void end() { out_ += ']'; }

private:
    std::string& out_;
    bool first_ = true;
};

/// The elements as a JSON array; `write(text, element)` appends one.
template <class List, class Write>
std::string array_of(const List& list, Write write) {
    std::string out;
    array_writer w(out);
    for (const auto& one : list)
        write(w.next(), one);
    w.end();
    return out;
}

/// "data:image/png;base64,…"
std::string data_url(const image& picture);

/// Of a tool; one without parameters has an object without members.
std::string_view schema_of(const tool_declaration& tool);

/// {"type":"function","function":{…}}, as chat completions and Ollama have it.
void write_function(std::string& out, const tool_declaration& tool);

/// A call's arguments where the wire wants an object: what is none is put into one.
std::string arguments_object(const tool_call& call);

bool is_blank(std::string_view text);

} // namespace troupe::net
