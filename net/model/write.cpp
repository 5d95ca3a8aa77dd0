#include "net/model/write.hpp"

namespace troupe::net {

std::string data_url(const image& picture) { return "data:" + picture.media_type + ";base64," + picture.data; }

std::string_view schema_of(const tool_declaration& tool) {
    return tool.parameters.empty() ? R"({"type":"object","properties":{}})" : std::string_view(tool.parameters);
}

void write_function(std::string& out, const tool_declaration& tool) {
    std::string function;
    json::object_writer inner(function);
    inner.field("name", tool.name).field("description", tool.description);
    inner.raw_field("parameters", schema_of(tool)).end();
    json::object_writer(out).field("type", "function").raw_field("function", function).end();
}

std::string arguments_object(const tool_call& call) {
    if (const auto parsed = json::document::parse(call.arguments);
        parsed && parsed->root().type() == json::kind::object)
        return parsed->root().dump();
    std::string out;
    json::object_writer(out).field("arguments", call.arguments).end();
    return out;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

} // namespace troupe::net
