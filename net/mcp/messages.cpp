#include "net/mcp/messages.hpp"

namespace troupe::net::mcp {

namespace {

template <class Fill>
json::raw object(Fill fill) {
    json::raw out{""};
    json::object_writer members(out.text);
    fill(members);
    members.end();
    return out;
}

} // namespace

json::raw named_params(std::string_view name, const json::raw& arguments) {
    return object([&](json::object_writer& out) {
        out.field("name", name);
        if (!arguments.is_null())
            out.raw_field("arguments", arguments.text);
    });
}

json::raw uri_params(std::string_view uri) {
    return object([&](json::object_writer& out) { out.field("uri", uri); });
}

json::raw completion_params(std::string_view of, bool is_template, std::string_view argument, std::string_view value) {
    const auto reference = object([&](json::object_writer& out) {
        out.field("type", is_template ? "ref/resource" : "ref/prompt").field(is_template ? "uri" : "name", of);
    });
    const auto typed = object([&](json::object_writer& out) { out.field("name", argument).field("value", value); });
    return object(
        [&](json::object_writer& out) { out.raw_field("ref", reference.text).raw_field("argument", typed.text); });
}

json::raw level_params(std::string_view level) {
    return object([&](json::object_writer& out) { out.field("level", level); });
}

json::raw listen_params(const std::vector<std::string>& uris) {
    const auto filter = object([&](json::object_writer& out) {
        out.field("toolsListChanged", true).field("promptsListChanged", true).field("resourcesListChanged", true);
        if (!uris.empty())
            out.raw_field("resourceSubscriptions", to_json(uris));
    });
    return object([&](json::object_writer& out) { out.raw_field("notifications", filter.text); });
}

json::raw cursor_params(std::string_view cursor) {
    return object([&](json::object_writer& out) { out.field("cursor", cursor); });
}

} // namespace troupe::net::mcp
