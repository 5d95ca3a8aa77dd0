#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What servers of the Model Context Protocol offer beside tools.
namespace troupe {

/// An item of GET /mcp/resources
struct mcp_resource_document {
    std::string server;
    std::string uri; ///< For POST /mcp/servers/{server}/resources/read.
    std::string name;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> mime_type;
    std::optional<std::int64_t> size; ///< Bytes, as the server says.
};
BOOST_DESCRIBE_STRUCT(mcp_resource_document, (), (server, uri, name, title, description, mime_type, size))

/// An item of GET /mcp/resource-templates
struct mcp_resource_template_document {
    std::string server;
    std::string uri_template; ///< RFC 6570.
    std::string name;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> mime_type;
};
BOOST_DESCRIBE_STRUCT(mcp_resource_template_document, (), (server, uri_template, name, title, description, mime_type))

/// POST /mcp/servers/{id}/resources/read, …/follow and …/unfollow
struct mcp_resource_body {
    std::string uri;
    static constexpr field_rule rules[] = {
        {.name = "uri", .required = true, .min = 1, .max = 8192, .example = R"("file:///notes.md")"}};
};
BOOST_DESCRIBE_STRUCT(mcp_resource_body, (), (uri))

/// What a resource holds. It comes from outside.
struct mcp_contents_document {
    json::raw contents; ///< As the protocol has it: a list of `{"uri","mimeType","text"}` or, in base64, `blob`.
};
BOOST_DESCRIBE_STRUCT(mcp_contents_document, (), (contents))

/// The resources of a server that the node follows; the channel `mcp` says when they change.
struct mcp_followed_document {
    std::vector<std::string> uris;
};
BOOST_DESCRIBE_STRUCT(mcp_followed_document, (), (uris))

struct mcp_prompt_argument_document {
    std::string name;
    std::optional<std::string> description;
    bool required = false;
};
BOOST_DESCRIBE_STRUCT(mcp_prompt_argument_document, (), (name, description, required))

/// An item of GET /mcp/prompts
struct mcp_prompt_document {
    std::string server;
    std::string name; ///< For POST /mcp/servers/{server}/prompts/{name}.
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::vector<mcp_prompt_argument_document> arguments;
};
BOOST_DESCRIBE_STRUCT(mcp_prompt_document, (), (server, name, title, description, arguments))

/// POST /mcp/servers/{id}/prompts/{name}
struct mcp_prompt_body {
    json::raw arguments;
    static constexpr field_rule rules[] = {
        {.name = "arguments", .doc = "An object of texts, by the arguments' names.", .example = R"({"city":"Bern"})"}};
};
BOOST_DESCRIBE_STRUCT(mcp_prompt_body, (), (arguments))

/// A prompt with its arguments filled in. It comes from outside.
struct mcp_messages_document {
    std::optional<std::string> description;
    json::raw messages; ///< As the protocol has it: a list of `{"role","content"}`.
};
BOOST_DESCRIBE_STRUCT(mcp_messages_document, (), (description, messages))

/// POST /mcp/servers/{id}/complete
struct mcp_complete_body {
    std::optional<std::string> prompt;
    std::optional<std::string> uri_template;
    std::string argument;
    std::string value;
    static constexpr field_rule rules[] = {
        {.name = "prompt",
         .min = 1,
         .max = 1024,
         .doc = "Whose argument it is: this, or `uri_template`.",
         .example = R"("weather")"},
        {.name = "uri_template", .min = 1, .max = 8192},
        {.name = "argument", .required = true, .min = 1, .max = 1024, .example = R"("city")"},
        {.name = "value", .max = 8192, .doc = "What is typed so far.", .example = R"("Be")"}};
};
BOOST_DESCRIBE_STRUCT(mcp_complete_body, (), (prompt, uri_template, argument, value))

/// What the argument may become.
struct mcp_completion_document {
    std::vector<std::string> values;
    std::optional<std::int64_t> total; ///< Of all, where the server knows.
    std::optional<bool> has_more;
};
BOOST_DESCRIBE_STRUCT(mcp_completion_document, (), (values, total, has_more))

// ---- The live channel `mcp`.

/// A server offers something else than before: `tools`, `resources`, `resourceTemplates` or `prompts`.
struct mcp_list_changed {
    std::string server;
    std::string list;
};
BOOST_DESCRIBE_STRUCT(mcp_list_changed, (), (server, list))

/// A resource that is followed is another one now.
struct mcp_resource_updated {
    std::string server;
    std::string uri;
};
BOOST_DESCRIBE_STRUCT(mcp_resource_updated, (), (server, uri))

/// How far a call is that was given a name, as the server says.
struct mcp_progress {
    std::string call;
    std::string tool;
    double progress = 0;
    std::optional<double> total;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(mcp_progress, (), (call, tool, progress, total, message))

} // namespace troupe

TROUPE_NAMED(troupe::mcp_list_changed)
TROUPE_NAMED(troupe::mcp_resource_updated)
TROUPE_NAMED(troupe::mcp_progress)
