#include "actors/tool/own_tools.hpp"

#include "actors/common/secret_value.hpp"
#include "actors/tool/tool_performers.hpp"
#include "actors/tool/web_text.hpp"
#include "net/client/http_client.hpp"
#include "schemas/base/json.hpp"

#include <memory>
#include <utility>

namespace troupe::actors {

namespace {

using runtime::own_tool;
using runtime::own_tool_command;
using runtime::own_tool_request;

/// They travel in an environment variable, of which Linux takes 128 KiB.
constexpr std::size_t arguments_bytes_max = 100'000;
constexpr std::size_t reply_bytes_max = 1 << 20;

/// What the model sends, checked against the schema of the configuration.
expected<void> check_own(const json_schema_check& schema, std::string_view arguments) {
    const auto text = tool_detail::or_empty_object(arguments);
    if (text.size() > arguments_bytes_max) {
        return problem{code::tool_arguments_invalid,
                       fmt::format("the arguments are longer than {} bytes", arguments_bytes_max)};
    }
    auto fits = schema.check(text);
    return fits ? expected<void>() : expected<void>(tool_detail::wrong_arguments(fits.error()));
}

/// The command's standard input is the arguments; its exit code is what counts.
tool_result run(const own_tool_command& declared, std::string_view arguments, const tool_environment& where) {
    if (where.commands == nullptr) {
        return refuse("this tool is not available here: the node has no sandbox to run its command in");
    }
    runtime::command_spec spec;
    spec.argv = {"sh", "-c", R"(printf %s "$TROUPE_ARGUMENTS" | "$@")", "sh"};
    spec.argv.insert(spec.argv.end(), declared.command.begin(), declared.command.end());
    spec.project = where.project;
    spec.working_directory = declared.working_directory;
    spec.environment["TROUPE_ARGUMENTS"] = arguments;
    spec.network = where.network;
    spec.limits = where.limits;
    const auto done = where.commands->run(where.key, spec, where.stop, where.on_output);
    if (!done) {
        return refuse(done.error());
    }
    return shown(*done);
}

expected<net::client_request> request_of(const own_tool_request& declared, std::string_view arguments,
                                         const secret_finder& find_secret) {
    net::client_request out;
    out.method = std::string(detail::enum_name(declared.method));
    out.url = declared.url;
    out.headers.emplace_back("Content-Type", "application/json");
    out.headers.emplace_back("Accept-Encoding", "identity");
    for (const auto& [name, value] : declared.headers) {
        auto text = expected<std::string>(value);
        if (value.starts_with(secret_prefix)) {
            text = find_secret ? find_secret(std::string_view(value).substr(secret_prefix.size()))
                               : problem{code::unavailable, "there are no secrets here"};
        }
        if (!text) {
            return text.error();
        }
        out.headers.emplace_back(name, std::move(*text));
    }
    out.body = arguments;
    out.time_out_ms = declared.time_out_ms;
    out.reply_bytes_max = reply_bytes_max;
    return out;
}

tool_result ask(const own_tool& declared, std::string_view arguments, const secret_finder& find_secret,
                const tool_environment& where) {
    const auto request = request_of(*declared.http, arguments, find_secret);
    if (!request) {
        return refuse(request.error());
    }
    const auto reply = net::fetch(*request, where.stop);
    if (!reply) {
        auto r = refuse(reply.error());
        // It may have arrived: only what never left is known not to have happened.
        r.unknown =
            declared.repeat != runtime::own_tool_repeat::idempotent && reply.error().code != code::invalid_request;
        return r;
    }
    const auto text = to_utf8(reply->body, "");
    tool_result r;
    r.content = is_binary(text) ? fmt::format("status {}: {} bytes that are no text", reply->status, text.size())
                                : fmt::format("status {}\n{}", reply->status, text);
    r.is_error = reply->status / 100 != 2;
    r.details.text = fmt::format("{{\"status\":{},\"bytes\":{}}}", reply->status, reply->body.size());
    return r;
}

} // namespace

custom_tool make_own_tool(own_tool declared, secret_finder find_secret) {
    const auto schema = json_schema_check::parse(declared.parameters.text);
    custom_tool out;
    out.name = declared.name;
    out.description = declared.description;
    out.permission = declared.permission;
    out.runs_command = out.writes = out.needs_project = declared.run.has_value();
    out.safety = declared.run                                              ? repeat_safety::recorded
                 : declared.repeat == runtime::own_tool_repeat::idempotent ? repeat_safety::idempotent
                                                                           : repeat_safety::once;
    out.schema = [text = declared.parameters.text] { return text; };
    out.check = [schema](std::string_view arguments) {
        return schema ? check_own(*schema, arguments) : expected<void>(schema.error());
    };
    out.perform = [tool = std::move(declared), check = out.check,
                   find_secret = std::move(find_secret)](std::string_view arguments, const tool_environment& where) {
        if (auto fits = check(arguments); !fits) {
            return refuse(fits.error());
        }
        const auto text = tool_detail::or_empty_object(arguments);
        return tool.run ? run(*tool.run, text, where) : ask(tool, text, find_secret, where);
    };
    return out;
}

} // namespace troupe::actors
