#include "actors/mcp/mcp_questions.hpp"

#include "actors/common/form_answer.hpp"
#include "actors/common/text.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/approval_messages.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::int64_t wait_ms_max = 3'600'000;
constexpr std::chrono::milliseconds look_every{100};
constexpr std::size_t message_bytes_max = 4'000;
constexpr std::size_t url_bytes_max = 2'000;
constexpr std::size_t schema_bytes_max = 20'000;

const json::raw cancelled{R"({"action":"cancel"})"};

/// What a person is to read and decide.
struct question {
    std::string text;
    std::string arguments;
    std::optional<std::string> schema; ///< Of a form.
};

/// Nothing: it cannot be put to a person.
std::optional<question> read_question(const std::string& server, const json::raw& params) {
    const auto parsed = json::document::parse(params.text);
    const auto root = parsed ? std::optional(parsed->root()) : std::nullopt;
    if (!root) {
        return {};
    }
    question out;
    const auto message = std::string(utf8_prefix(root->text_or("message"), message_bytes_max));
    out.text = fmt::format("The MCP server {} asks: {}", server, message);
    json::object_writer w(out.arguments);
    w.field("server", server).field("message", message);
    if (root->text_or("mode") == "url") {
        const auto url = root->text_or("url");
        const bool web = url.starts_with("https://") || url.starts_with("http://");
        if (!web || url.size() > url_bytes_max) {
            return {};
        }
        out.text += "\nIt wants you to open " + url + " yourself. Answer when you are done there, or deny.";
        w.field("url", url).end();
        return out;
    }
    const auto schema = root->find("requestedSchema");
    out.schema = schema ? schema->dump() : "";
    const auto lines = describe_form(*out.schema);
    if (!lines || out.schema->size() > schema_bytes_max) {
        return {};
    }
    out.text += "\nAnswer with these fields as a JSON object (one alone as it is), or deny:\n" + *lines;
    w.raw_field("requestedSchema", *out.schema).end();
    return out;
}

runtime::command command_to(const tool_environment& where, const uuid& approval, std::string_view type,
                            std::string payload) {
    runtime::command c;
    c.to = {where.run.organization, "approval", approval};
    c.type = type;
    c.payload = std::move(payload);
    c.id = fmt::format("{}/{}", key_of_call(where), type);
    c.principal = "run/" + to_string(where.run.id);
    return c;
}

/// Its state now; nothing: it cannot be read at the moment.
std::optional<approval_document> look_at(const tool_environment& where, const uuid& approval) {
    const auto stored = storage::read_document(*where.store, {where.run.organization, "approval", approval});
    if (!stored || !*stored) {
        return {};
    }
    auto read = from_json<approval_document>((*stored)->json, strictness::stored);
    return read ? std::optional(std::move(*read)) : std::nullopt;
}

json::raw answer_of(const approval_document& decided, const question& asked) {
    if (decided.status == approval_status::denied) {
        return {R"({"action":"decline"})"};
    }
    if (decided.status != approval_status::answered) {
        return cancelled;
    }
    if (!asked.schema) {
        return {R"({"action":"accept"})"};
    }
    const auto content = fill_form(*asked.schema, decided.answer.value_or(""));
    return content ? json::raw{R"({"action":"accept","content":)" + content->text + "}"} : cancelled;
}

/// Whether the run that asks has ended.
bool is_over(const tool_environment& where) {
    const auto stored = storage::read_document(*where.store, where.run);
    const auto run = stored && *stored ? from_json<run_document>((*stored)->json, strictness::stored)
                                       : expected<run_document>(problem{code::not_found, ""});
    return !run || (run->status != run_status::queued && run->status != run_status::running &&
                    run->status != run_status::waiting);
}

json::raw wait_for_person(const tool_environment& where, const uuid& approval, const question& asked,
                          const std::function<bool()>& is_wanted) {
    for (;;) {
        if (const auto now = look_at(where, approval); now && now->status != approval_status::pending) {
            return answer_of(*now, asked);
        }
        if (where.stop.stop_requested() && !is_over(where)) {
            return cancelled; // the node stops: who is asked may answer until the call is made again
        }
        if (where.stop.stop_requested() || !is_wanted()) {
            const auto withdrawn = where.ask(command_to(where, approval, wire_name<withdraw_approval>::value,
                                                        to_json(withdraw_approval{"The call that asked is over."})));
            if (!withdrawn) { // it expires by itself
                log_for("mcp").warn("approval {} cannot be withdrawn: {}", to_string(approval),
                                    withdrawn.error().detail);
            }
            return cancelled;
        }
        std::this_thread::sleep_for(look_every);
    }
}

} // namespace

mcp_question_sink ask_person(const tool_environment& where, const std::string& server, const std::string& tool) {
    if (!where.ask || !where.store || where.run.id.is_nil()) {
        return {};
    }
    // Of one call: the same question may be asked twice, and wants a new answer then.
    const auto count = std::make_shared<std::uint64_t>(0);
    return [&where, server, tool, count](const json::raw& params, const std::function<bool()>& is_wanted) {
        const auto asked = read_question(server, params);
        if (!asked) {
            return cancelled;
        }
        const auto approval = derive_uuid({"mcp_question", to_string(where.run.organization), key_of_call(where),
                                           std::to_string(++*count), params.text});
        open_approval open{where.run.id, key_of_call(where), wait_reason::question, asked->text,
                           tool,         {asked->arguments}, where.agent,           system_now() + wait_ms_max};
        const auto opened = where.ask(command_to(where, approval, wire_name<open_approval>::value, to_json(open)));
        if (!opened) {
            log_for("mcp").warn("what {} asks cannot be put to a person: {}", server, opened.error().detail);
            return cancelled;
        }
        if (where.on_output) {
            where.on_output(false, fmt::format("{}\nIt waits for a person: troupe approval show {}\n", asked->text,
                                               to_string(approval)));
        }
        return wait_for_person(where, approval, *asked, is_wanted);
    };
}

} // namespace troupe::actors
