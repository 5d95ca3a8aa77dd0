#include "actors/mcp/mcp_hub.hpp"

#include "actors/mcp/mcp_questions.hpp"
#include "actors/mcp/mcp_resource_tool.hpp"
#include "actors/tool/tool.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/json_schema.hpp"
#include "schemas/base/log.hpp"
#include "schemas/mcp_offers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {

namespace mcp = net::mcp;

namespace {

constexpr std::size_t id_bytes_max = 64;
/// Of one server's list while the node runs: each takes memory for good, since runs may look at tools of before.
constexpr std::size_t changes_max = 500;
constexpr std::string_view permission = "mcp";

std::string as_word(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) {
        return std::isalnum(c) && c < 0x80 ? static_cast<char>(std::tolower(c)) : '_';
    });
    return out;
}

std::string_view or_empty_object(std::string_view arguments) {
    return arguments.find_first_not_of(" \t\r\n") == arguments.npos ? "{}" : arguments;
}

/// Nothing where the schema itself is of no use: then the server judges.
expected<void> fits(const json::raw& schema, std::string_view document) {
    const auto check = json_schema_check::parse(schema.text);
    return check ? check->check(document) : expected<void>{};
}

expected<void> check_arguments(const mcp::tool& tool, std::string_view arguments) {
    const auto parsed = json::document::parse(arguments);
    if (!parsed || parsed->root().type() != json::kind::object) {
        return problem{code::tool_arguments_invalid,
                       fmt::format("The arguments of {} have to be an object.", tool.name)};
    }
    if (auto good = fits(tool.inputSchema, arguments); !good) {
        auto why = fmt::format("The arguments of {} do not fit its schema.", tool.name);
        for (const auto& e : good.error().errors) {
            why += fmt::format(" {}: {}.", e.pointer, e.message);
        }
        return problem{code::tool_arguments_invalid, std::move(why), good.error().errors};
    }
    return {};
}

/// What a model reads of an answer: texts as they are, of everything else what it is.
std::string text_of(const mcp_result_document& answer) {
    std::string out;
    const auto parsed = json::document::parse(answer.content.text);
    if (parsed) {
        parsed->root().each_element([&](json::value part) {
            const auto type = part.text_or("type");
            if (type == "text") {
                out += part.text_or("text");
            } else if (const auto inner = part.find("resource"); inner && inner->find("text")) {
                out += fmt::format("[{}]\n{}", inner->text_or("uri"), inner->text_or("text"));
            } else {
                out += fmt::format("[{} {}{}]", type, part.text_or("mimeType"), part.text_or("uri"));
            }
            out += out.ends_with('\n') ? "" : "\n";
        });
    }
    if (answer.structured_content && out.find_first_not_of(" \n") == out.npos) {
        out = answer.structured_content->text + "\n";
    }
    return out.empty() ? "nothing\n" : out;
}

std::string text_of(const mcp::progressed& p) {
    return fmt::format("[{}{}]{}{}", p.progress, p.total ? fmt::format("/{}", *p.total) : "",
                       p.message.empty() ? "" : " ", p.message);
}

tool_result shown(const expected<mcp_result_document>& answer, const mcp_tool& tool) {
    if (!answer) {
        return refuse(answer.error());
    }
    tool_result r;
    constexpr std::size_t text_bytes_max = tool_content_bytes_max - 1024;
    r.content =
        from_outside("the MCP server " + tool.server->settings().name, shorten(text_of(*answer), text_bytes_max));
    r.is_error = answer->is_error;
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("server", tool.server->settings().name).field("tool", tool.declared.name);
    w.field("duration_ms", answer->duration_ms);
    w.end();
    return r;
}

/// What a run's watchers see of a call's progress.
mcp_progress_sink shown_live(const tool_environment& where) {
    if (!where.on_output) {
        return {};
    }
    return [&where](const mcp::progressed& p) { where.on_output(false, text_of(p) + "\n"); };
}

bool is_idempotent(const runtime::mcp_server& s, const std::string& tool) {
    return std::ranges::any_of(s.idempotent, [&](const auto& name) { return name == "*" || name == tool; });
}

} // namespace

mcp_hub::mcp_hub(std::vector<runtime::mcp_server> servers, const mcp_parts& parts, const uuid& organization)
    : organization_(organization), parts_(parts), publish_(parts.publish), pins_(parts.folder / ".tools.json") {
    for (auto& settings : servers) {
        auto name = settings.name;
        configured_.push_back(name);
        offer_as_before(servers_.emplace(std::move(name), make_desk(std::move(settings))).first->second);
    }
}

void mcp_hub::offer_as_before(const std::shared_ptr<mcp_desk>& server) {
    if (const auto before = read_kept_offers(parts_.folder, server->settings().name)) {
        server->remember(*before);
        offer_tools(server, before->tools);
    }
}

void mcp_hub::keep_offers(const std::string& server, const kept_offers& now) {
    auto text = to_json(now);
    auto& kept = offers_[server].kept;
    if (text == kept) {
        return;
    }
    const auto file = kept_offers_file(parts_.folder, server);
    std::error_code failed;
    std::filesystem::create_directories(file.parent_path(), failed);
    if (const auto written = replace_file(file, text); !written) {
        log_for("mcp").error("what {} offers cannot be noted: {}", server, written.error().detail);
        return;
    }
    kept = std::move(text);
}

std::shared_ptr<mcp_desk> mcp_hub::make_desk(runtime::mcp_server settings) {
    const auto name = settings.name;
    auto desk = std::make_shared<mcp_desk>(std::move(settings), parts_);
    desk->on_tools = [this, weak = std::weak_ptr(desk)](const std::vector<mcp::tool>& found) {
        if (const auto server = weak.lock()) {
            offer_tools(server, found);
        }
    };
    if (const auto tokens = parts_.tokens.find(name); tokens != parts_.tokens.end()) {
        tokens->second->on_authorized = [weak = std::weak_ptr(desk)] {
            if (const auto server = weak.lock()) {
                server->restart();
            }
        };
    }
    return desk;
}

mcp_hub::desks mcp_hub::servers() const {
    const std::scoped_lock lock(mutex_);
    return servers_;
}

void mcp_hub::add(runtime::mcp_server settings) {
    const auto name = settings.name;
    remove(name);
    const auto desk = make_desk(std::move(settings));
    auto part = desk->part();
    {
        const std::scoped_lock lock(mutex_);
        servers_[name] = desk;
    }
    offer_as_before(desk);
    {
        const std::scoped_lock lock(mutex_);
        part.id = fmt::format("mcp_{}_{}", name, ++adopted_);
        actors_[name] = part.id;
    }
    adopt(std::move(part));
}

void mcp_hub::remove(const std::string& name) {
    std::shared_ptr<mcp_desk> gone;
    std::string actor;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = servers_.find(name);
        if (found == servers_.end()) {
            return;
        }
        gone = found->second;
        servers_.erase(found);
        offers_.erase(name);
        actor = std::exchange(actors_[name], "");
    }
    gone->stop();
    release(actor);
}

void mcp_hub::forget(const std::string& name) {
    remove(name);
    std::error_code failed; // another one of that name shows its own soon
    std::filesystem::remove(kept_offers_file(parts_.folder, name), failed);
}

mcp_hub::~mcp_hub() = default;

std::string mcp_hub::free_id(std::string_view server, std::string_view tool, const std::vector<mcp_tool>& taken) const {
    const auto name = ("mcp_" + as_word(server) + "_" + as_word(tool)).substr(0, id_bytes_max);
    auto id = name;
    const auto is_taken = [&] {
        const auto has = [&](const auto& all) { return std::ranges::find(all, id, &mcp_tool::id) != all.end(); };
        return has(taken) ||
               std::ranges::any_of(offers_, [&](const auto& o) { return o.first != server && has(o.second.tools); });
    };
    for (int number = 2; is_taken(); ++number) {
        const auto end = "_" + std::to_string(number);
        id = name.substr(0, id_bytes_max - end.size()) + end;
    }
    return id;
}

void mcp_hub::offer_tools(const std::shared_ptr<mcp_desk>& server, const std::vector<mcp::tool>& found) {
    const std::scoped_lock lock(mutex_);
    const auto& settings = server->settings();
    if (const auto now = servers_.find(settings.name); now == servers_.end() || now->second != server) {
        return; // it was taken away, or another one has its place
    }
    auto& mine = offers_[settings.name];
    if (++mine.changes > changes_max) {
        log_for("mcp").error("{} has changed its tools {} times: later changes are not taken before the node is "
                             "started anew",
                             settings.name, changes_max);
        return;
    }
    mine.in_table = nullptr;
    mine.tools.clear();
    std::vector<custom_tool> offered;
    for (const auto& declared : found) {
        mine.tools.push_back({free_id(settings.name, declared.name, mine.tools), server, declared});
        auto& tool = mine.tools.back();
        tool.changed = is_changed(tool);
        if (tool.changed) {
            continue; // what it says now comes before no model
        }
        custom_tool out;
        out.name = tool.id;
        out.description = declared.description.value_or(declared.title.value_or(declared.name));
        out.safety = is_idempotent(settings, declared.name) ? repeat_safety::idempotent : repeat_safety::once;
        out.permission = permission;
        out.organization = organization_;
        out.schema = [schema = declared.inputSchema.text] { return schema; };
        out.check = [declared](std::string_view arguments) {
            return check_arguments(declared, or_empty_object(arguments));
        };
        out.perform = [this, tool = mine.tools.back()](std::string_view arguments, const tool_environment& where) {
            return where.run.organization == organization_ || where.run.id.is_nil()
                       ? shown(execute(tool.id, arguments, where.stop,
                                       {shown_live(where), ask_person(where, tool.server->settings().name, tool.id)}),
                               tool)
                       : refuse(problem{code::not_found, "there is no such tool here"});
        };
        offered.push_back(std::move(out));
    }
    if (server->has_resources()) {
        offered.push_back(resource_tool(server, free_id(settings.name, "read_resource", mine.tools), organization_));
    }
    keep_pins();
    keep_offers(settings.name, {found, server->has_resources()});
    auto added = add_tools(std::move(offered));
    if (added) {
        mine.in_table = std::move(*added);
    } else {
        log_for("mcp").error("the tools of {} cannot be offered: {}", settings.name, added.error().detail);
    }
}

bool mcp_hub::is_changed(const mcp_tool& tool) {
    if (pins_.is_known(tool.id, tool.declared)) {
        return false;
    }
    log_for("mcp").warn(
        "{}: the tool {} says something else of itself than when it was accepted. Look at it, then: troupe "
        "mcp accept {}",
        tool.server->settings().name, tool.declared.name, tool.id);
    return true;
}

void mcp_hub::keep_pins() {
    if (const auto kept = pins_.save(); !kept) {
        log_for("mcp").error("what tools say of themselves cannot be noted: {}", kept.error().detail);
    }
}

expected<mcp_tool> mcp_hub::accept(std::string_view id) {
    const auto all = tools();
    const auto found = std::ranges::find(all, id, &mcp_tool::id);
    if (found == all.end()) {
        return problem{code::not_found, fmt::format("There is no MCP tool \"{}\". See GET /mcp/tools.", id)};
    }
    {
        const std::scoped_lock lock(mutex_);
        pins_.accept(found->id, found->declared);
        if (auto kept = pins_.save(); !kept) {
            return kept.error();
        }
    }
    offer_tools(found->server, found->server->list<mcp::tool>());
    auto now = *found;
    now.changed = false;
    return now;
}

std::vector<mcp_tool> mcp_hub::tools() const {
    const std::scoped_lock lock(mutex_);
    std::vector<mcp_tool> out;
    for (const auto& [name, mine] : offers_) {
        out.insert(out.end(), mine.tools.begin(), mine.tools.end());
    }
    return out;
}

std::vector<mcp_usage_document> mcp_hub::usage() const {
    const std::scoped_lock lock(mutex_);
    std::vector<mcp_usage_document> out;
    for (const auto& [tool, f] : figures_) {
        out.push_back({tool, f.calls, f.errors, f.failures,
                       f.calls > 0 ? f.total_ms / static_cast<std::int64_t>(f.calls) : 0, f.max_ms, f.bytes});
    }
    return out;
}

expected<mcp_result_document> mcp_hub::execute(std::string_view id, std::string_view given, const std::stop_token& stop,
                                               const mcp_call_sinks& sinks) {
    const auto all = tools();
    const auto found = std::ranges::find(all, id, &mcp_tool::id);
    if (found == all.end()) {
        return problem{code::not_found, fmt::format("There is no MCP tool \"{}\". See GET /mcp/tools.", id)};
    }
    if (found->changed) {
        return problem{
            code::conflict,
            fmt::format("The tool {} says something else of itself than when it was accepted. Look at it with "
                        "GET /mcp/tools; POST /mcp/tools/{}/accept accepts it.",
                        id, id)};
    }
    const auto arguments = or_empty_object(given);
    if (auto good = check_arguments(found->declared, arguments); !good) {
        return good.error();
    }
    const auto began_ms = monotonic_ms();
    const auto result = found->server->call(
        "tools/call", mcp::named_params(found->declared.name, {std::string(arguments)}), stop, sinks);
    const auto read = result ? mcp::read_result<mcp::tool_result>(*result) : expected<mcp::tool_result>(result.error());
    auto good = expected<void>{};
    if (read && read->structuredContent && found->declared.outputSchema && !read->isError) {
        good = fits(*found->declared.outputSchema, read->structuredContent->text);
    }
    const auto took_ms = monotonic_ms() - began_ms;
    {
        const std::scoped_lock lock(mutex_);
        auto& f = figures_[found->id];
        ++f.calls;
        f.errors += read && good ? 0 : 1;
        f.failures += read && read->isError ? 1 : 0;
        f.total_ms += took_ms;
        f.max_ms = std::max(f.max_ms, took_ms);
        f.bytes += result ? result->text.size() : 0;
    }
    if (!read) {
        return read.error();
    }
    if (!good) {
        return problem{code::tool_failed, fmt::format("What {} answered does not fit its own schema: {}",
                                                      found->declared.name, good.error().detail)};
    }
    return mcp_result_document{read->content, read->structuredContent, read->isError, took_ms};
}

expected<mcp_result_document> mcp_hub::execute_named(const std::string& call, std::string_view id,
                                                     std::string_view arguments) {
    const auto entry = calls.begin(call);
    if (!entry) {
        return entry.error();
    }
    const auto tell = [&](const mcp::progressed& p) {
        if (publish_) {
            publish_(wire_name<mcp_progress>::value,
                     to_json(mcp_progress{call, std::string(id), p.progress, p.total, p.message}));
        }
    };
    return execute(id, arguments, (*entry)->stop(), {.on_progress = tell});
}

runtime::supervised_child mcp_hub::child(runtime::supervision_tree* tree) const {
    std::vector<runtime::supervised_child> children;
    for (const auto& [name, desk] : servers_) {
        children.push_back(runtime::nudged_child(desk->part()));
    }
    return runtime::supervisor_child({.id = "mcp", .kind = runtime::child_kind::supervisor}, {}, std::move(children),
                                     tree);
}

} // namespace troupe::actors
