#include "net/mcp/rpc.hpp"

#include <utility>

namespace troupe::net::mcp {

namespace {

problem wrong(std::string detail) {
    return {code::invalid_request, "not a message of JSON-RPC 2.0: " + std::move(detail)};
}

std::optional<rpc_id> read_id(const json::value& from) {
    if (const auto number = from.as_int())
        return rpc_id(*number);
    if (const auto text = from.as_string())
        return rpc_id(std::string(*text));
    return std::nullopt;
}

expected<json::raw> read_params(const json::value& root) {
    const auto params = root.find("params");
    if (!params || params->type() == json::kind::null)
        return json::raw();
    if (params->type() != json::kind::object)
        return wrong("params is no object");
    return json::raw{params->dump()};
}

expected<rpc_message> read_error(const json::value& error, std::optional<rpc_id> id) {
    const auto number = error.find("code");
    const auto code = number ? number->as_int() : std::nullopt;
    if (!code)
        return wrong("an error without a code");
    const auto data = error.find("data");
    return rpc_message(
        rpc_failure{std::move(id), {*code, error.text_or("message"), data ? json::raw{data->dump()} : json::raw()}});
}

expected<rpc_message> read_one(const json::value& root) {
    if (root.type() != json::kind::object)
        return wrong("no object");
    if (root.text_or("jsonrpc") != "2.0")
        return wrong("jsonrpc is not \"2.0\"");
    const auto given = root.find("id");
    auto id = given ? read_id(*given) : std::nullopt;
    const bool has_id = given && given->type() != json::kind::null;
    if (has_id && !id)
        return wrong("id is neither a string nor an integer");
    if (const auto method = root.find("method")) {
        const auto name = method->as_string();
        if (!name || name->empty())
            return wrong("method is no text");
        auto params = read_params(root);
        if (!params)
            return params.error();
        if (id)
            return rpc_message(rpc_request{std::move(*id), std::string(*name), std::move(*params)});
        if (given)
            return wrong("a request whose id is null");
        return rpc_message(rpc_notification{std::string(*name), std::move(*params)});
    }
    if (const auto error = root.find("error"))
        return read_error(*error, std::move(id));
    const auto result = root.find("result");
    if (!result)
        return wrong("no method, no result and no error");
    if (!id)
        return wrong("a result without id");
    return rpc_message(rpc_result{std::move(*id), {result->dump()}});
}

void add_id(json::object_writer& out, const rpc_id& id) {
    std::visit([&](const auto& it) { out.field("id", it); }, id);
}

void add_params(json::object_writer& out, const json::raw& params) {
    if (!params.is_null())
        out.raw_field("params", params.text);
}

void add(json::object_writer& out, const rpc_request& m) {
    add_id(out, m.id);
    out.field("method", m.method);
    add_params(out, m.params);
}

void add(json::object_writer& out, const rpc_notification& m) {
    out.field("method", m.method);
    add_params(out, m.params);
}

void add(json::object_writer& out, const rpc_result& m) {
    add_id(out, m.id);
    out.raw_field("result", m.result.text);
}

void add(json::object_writer& out, const rpc_failure& m) {
    m.id ? add_id(out, *m.id) : void(out.raw_field("id", "null"));
    std::string error;
    json::object_writer inner(error);
    inner.field("code", m.error.code).field("message", m.error.message);
    if (!m.error.data.is_null())
        inner.raw_field("data", m.error.data.text);
    inner.end();
    out.raw_field("error", error);
}

} // namespace

expected<std::vector<rpc_message>> read_messages(std::string_view text) {
    if (text.size() > message_bytes_max)
        return problem{code::payload_too_large, "a message of " + std::to_string(text.size()) + " bytes; at most " +
                                                    std::to_string(message_bytes_max) + " are taken"};
    const auto parsed = json::document::parse(text);
    if (!parsed)
        return parsed.error();
    std::vector<rpc_message> out;
    std::optional<problem> first_wrong;
    const auto take = [&](const json::value& one) {
        if (first_wrong)
            return;
        auto message = read_one(one);
        message ? out.push_back(std::move(*message)) : void(first_wrong = message.error());
    };
    const auto root = parsed->root();
    if (root.type() != json::kind::array)
        take(root);
    else if (root.size() == 0 || root.size() > batch_max)
        first_wrong = wrong("an array of " + std::to_string(root.size()) + " messages");
    else
        root.each_element(take);
    if (first_wrong)
        return std::move(*first_wrong);
    return out;
}

std::string write(const rpc_message& message) {
    std::string text;
    json::object_writer out(text);
    out.field("jsonrpc", "2.0");
    std::visit([&](const auto& m) { add(out, m); }, message);
    out.end();
    return text;
}

} // namespace troupe::net::mcp
