#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What requests of the Model Context Protocol carry and their results hold, as far as it is more than JSON passed on.
/// Members have the protocol's names. What comes from a server is read with `strictness::stored`: more is no mistake.
namespace troupe::net::mcp {

struct tool {
    static constexpr std::string_view method = "tools/list";
    static constexpr std::string_view list_name = "tools";
    std::string name;
    std::optional<std::string> title;
    std::optional<std::string> description;
    json::raw inputSchema = {R"({"type":"object"})"};
    std::optional<json::raw> outputSchema;
    std::optional<json::raw> annotations; ///< Hints of whoever wrote the server: never a reason to trust.
    [[nodiscard]] const std::string& key() const { return name; }
};
BOOST_DESCRIBE_STRUCT(tool, (), (name, title, description, inputSchema, outputSchema, annotations))

struct resource {
    static constexpr std::string_view method = "resources/list";
    static constexpr std::string_view list_name = "resources";
    std::string uri;
    std::string name;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> mimeType;
    std::optional<std::int64_t> size; ///< Bytes.
    [[nodiscard]] const std::string& key() const { return uri; }
};
BOOST_DESCRIBE_STRUCT(resource, (), (uri, name, title, description, mimeType, size))

struct resource_template {
    static constexpr std::string_view method = "resources/templates/list";
    static constexpr std::string_view list_name = "resourceTemplates";
    std::string uriTemplate;
    std::string name;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> mimeType;
    [[nodiscard]] const std::string& key() const { return uriTemplate; }
};
BOOST_DESCRIBE_STRUCT(resource_template, (), (uriTemplate, name, title, description, mimeType))

struct prompt_argument {
    std::string name;
    std::optional<std::string> description;
    bool required = false;
};
BOOST_DESCRIBE_STRUCT(prompt_argument, (), (name, description, required))

struct prompt {
    static constexpr std::string_view method = "prompts/list";
    static constexpr std::string_view list_name = "prompts";
    std::string name;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::vector<prompt_argument> arguments;
    [[nodiscard]] const std::string& key() const { return name; }
};
BOOST_DESCRIBE_STRUCT(prompt, (), (name, title, description, arguments))

/// Of `tools/call`.
struct tool_result {
    json::raw content = {"[]"};
    std::optional<json::raw> structuredContent;
    bool isError = false; ///< The tool says that it failed; the content says how.
};
BOOST_DESCRIBE_STRUCT(tool_result, (), (content, structuredContent, isError))

/// Of `resources/read`.
struct resource_contents {
    json::raw contents = {"[]"};
};
BOOST_DESCRIBE_STRUCT(resource_contents, (), (contents))

/// Of `prompts/get`.
struct prompt_messages {
    std::optional<std::string> description;
    json::raw messages = {"[]"};
};
BOOST_DESCRIBE_STRUCT(prompt_messages, (), (description, messages))

/// Of `completion/complete`.
struct completion_values {
    std::vector<std::string> values;
    std::optional<std::int64_t> total;
    std::optional<bool> hasMore;
};
BOOST_DESCRIBE_STRUCT(completion_values, (), (values, total, hasMore))
struct completion_result {
    completion_values completion;
};
BOOST_DESCRIBE_STRUCT(completion_result, (), (completion))

/// `tool_failed` when the result is of another form.
template <class T>
expected<T> read_result(const json::raw& result) {
    auto read = from_json<T>(result.text, strictness::stored);
    if (!read)
        return problem{code::tool_failed, "the MCP server's answer cannot be used: " + read.error().detail};
    return read;
}

// ---- Parameters.

/// Of `tools/call` and `prompts/get`. `arguments` is an object.
json::raw named_params(std::string_view name, const json::raw& arguments);
/// Of `resources/read`, `resources/subscribe` and `resources/unsubscribe`.
json::raw uri_params(std::string_view uri);
/// Of `completion/complete`, of an argument of a prompt or (`is_template`) of a resource template.
json::raw completion_params(std::string_view of, bool is_template, std::string_view argument, std::string_view value);
/// Of `logging/setLevel`, in the legacy era.
json::raw level_params(std::string_view level);
/// Of `subscriptions/listen`, in the modern era: changes of all lists, and of these resources. That call does not end
/// by itself; give it no time-out.
json::raw listen_params(const std::vector<std::string>& uris);
/// Of a list's next page.
json::raw cursor_params(std::string_view cursor);

/// Gathers the pages of a list: `next` gives the parameters of the next request, until it gives none.
template <class T>
class listing {
public:
    static constexpr std::size_t items_max = 10'000;
    static constexpr std::size_t pages_max = 1'000;

    /// Takes a page. Items that cannot be read, or come again, are skipped and counted. `tool_failed` when it is no
    /// page, or when the list does not end.
    expected<void> take(const json::raw& result) {
        const auto parsed = json::document::parse(result.text);
        const auto list = parsed ? parsed->root().find(T::list_name) : std::nullopt;
        if (!list || list->type() != json::kind::array)
            return problem{code::tool_failed, "the MCP server's list has no " + std::string(T::list_name)};
        list->each_element([&](json::value each) { take_item(each); });
        const auto cursor = parsed->root().text_or("nextCursor");
        const bool stands_still = !cursor.empty() && cursor == cursor_;
        if (++pages_ > pages_max || items_.size() > items_max || stands_still)
            return problem{code::tool_failed, "the MCP server's list does not end"};
        cursor_ = cursor;
        return {};
    }
    [[nodiscard]] std::optional<json::raw> next() const {
        if (pages_ == 0)
            return json::raw();
        return cursor_.empty() ? std::nullopt : std::optional(cursor_params(cursor_));
    }
    [[nodiscard]] const std::vector<T>& items() const { return items_; }
    [[nodiscard]] std::size_t skipped() const { return skipped_; }

private:
    void take_item(const json::value& from) {
        auto item = from_json<T>(from, strictness::stored);
        if (!item || item->key().empty() || !keys_.insert(item->key()).second)
            ++skipped_;
        else if (items_.size() <= items_max)
            items_.push_back(std::move(*item));
    }

    std::vector<T> items_;
    std::set<std::string> keys_;
    std::string cursor_;
    std::size_t pages_ = 0;
    std::size_t skipped_ = 0;
};

} // namespace troupe::net::mcp
