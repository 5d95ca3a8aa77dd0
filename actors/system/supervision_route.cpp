#include "actors/system/other_nodes.hpp"
#include "actors/system/system_routes.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// `GET /supervision`: one tree over all nodes. Each node knows what is below `/nodes/NAME` of its own, and is asked for
// it.
namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::response;
using runtime::cluster::cluster_node;

constexpr std::string_view question = "supervision";
constexpr std::string_view nodes_path = "/nodes";

/// An entry as `supervision_tree::to_json` writes it. Of a node that says nothing only the first members are known.
constexpr std::string_view entry_schema =
    R"({"type":"object","properties":{"path":{"type":"string"},"node":{"type":"string","description":"That it is on."},)"
    R"("name":{"type":"string"},"kind":{"type":"string"},)"
    R"("status":{"enum":["running","restarting","stopped","failed","stalled","down","unreachable"],"description":)"
    R"("down: the lease of the node is over, the others have what it had; unreachable: it is up, and did not say what )"
    R"(is below."},)"
    R"("problem":{"type":"string","description":"Why a node is down or unreachable."},)"
    R"("restarts":{"type":"integer","minimum":0},"last_failure":{"type":"string"},)"
    R"("last_failure_at":{"type":"string","format":"date-time"},"policy":{"type":"string"},)"
    R"("started_at":{"type":"string","format":"date-time"},"uptime_ms":{"type":"integer","minimum":0},)"
    R"("mailbox_depth":{"type":["integer","null"],"minimum":0},"messages":{"type":["integer","null"],"minimum":0},)"
    R"("memory_bytes":{"type":["integer","null"],"minimum":0},)"
    R"("children_count":{"type":["integer","null"],"minimum":0,"description":"null: not known."},)"
    R"("children":{"type":"array","items":{"type":"object","additionalProperties":true,"description":"As this one."}},)"
    R"("truncated":{"type":"boolean","description":"Not all children are here."}},)"
    R"("required":["path","name","kind","children_count","truncated"]})";

/// A number from the query, or the fallback. Bad ones are refused.
expected<std::size_t> number(const request& r, std::string_view name, std::size_t fallback, std::size_t max) {
    const auto text = r.query_value(name);
    std::size_t out = fallback;
    if (text) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
        if (error != std::errc() || end != text->data() + text->size() || out > max) {
            return problem{code::invalid_request,
                           std::string(name) + " has to be a number up to " + std::to_string(max),
                           {{std::string(name), "is not a number up to " + std::to_string(max)}}};
        }
    }
    return out;
}

/// What is asked for.
struct part_of_tree {
    std::string prefix;
    std::size_t depth = 0;
    std::size_t limit = 0;
};

expected<part_of_tree> part_in(const request& r) {
    const auto depth = number(r, "depth", 3, 16);
    const auto limit = number(r, "limit", 100, 1000);
    if (!depth || !limit) {
        return depth ? limit.error() : depth.error();
    }
    return part_of_tree{std::string(r.query_value("prefix").value_or("/")), *depth, *limit};
}

/// "/nodes/n2/x/" → {"nodes", "n2", "x"}
std::vector<std::string> elements_of(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0) {
            out.emplace_back(path.substr(0, end));
        }
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return out;
}

/// From this node's own tree.
void here(const system_parts& parts, const request& r, const responder& respond) {
    const auto wanted = part_in(r);
    if (!wanted) {
        respond(net::to_response(wanted.error(), r));
        return;
    }
    auto tree = parts.node->parts().tree->to_json(wanted->prefix, wanted->depth, wanted->limit);
    respond(tree ? response{200, std::move(*tree)}
                 : net::to_response({code::not_found, "there is nothing at '" + wanted->prefix +
                                                          "' in the supervision tree; leave `prefix` out to see all"},
                                    r));
}

/// A node that says nothing of itself.
std::string silent_node(const cluster_node& node, const problem& why) {
    std::string out;
    json::object_writer w(out);
    w.field("path", std::string(nodes_path) + "/" + node.name).field("node", node.name).field("name", node.name);
    w.field("kind", "supervisor").field("status", node.alive ? "unreachable" : "down").field("problem", why.detail);
    w.raw_field("children_count", "null").field("truncated", true);
    w.end();
    return out;
}

std::string group(std::string_view path, std::string_view name, std::size_t count,
                  const std::vector<std::string>* children) {
    std::string out;
    json::object_writer w(out);
    w.field("path", path).field("name", name).field("kind", "group");
    w.field("children_count", static_cast<std::uint64_t>(count));
    if (children) {
        std::string all = "[";
        for (const auto& child : *children) {
            all += (all.size() > 1 ? "," : "") + child;
        }
        w.raw_field("children", all + "]");
    }
    w.field("truncated", !children || children->size() < count);
    w.end();
    return out;
}

/// Asks one node for a part of its tree. Of the node itself there is always something to say.
void ask(const system_parts& parts, const cluster_node& node, const part_of_tree& wanted, const request& from,
         std::function<void(expected<std::string>)> then) {
    const bool is_top = elements_of(wanted.prefix).size() == 2;
    request r;
    r.who.organization = from.who.organization;
    r.query = {
        {"prefix", wanted.prefix}, {"depth", std::to_string(wanted.depth)}, {"limit", std::to_string(wanted.limit)}};
    ask_other(parts, node, std::string(question), r,
              [node, is_top, then = std::move(then)](expected<std::string> what) {
                  then(!what && is_top ? silent_node(node, what.error()) : std::move(what));
              });
}

/// The answer while nodes are asked.
struct gathering {
    std::mutex mutex;
    std::map<std::string, std::string> entries; ///< By name of node.
    std::size_t missing = 0;
    std::function<void(std::vector<std::string>)> then;

    void add(const std::string& name, std::string entry) {
        bool complete = false;
        {
            const std::lock_guard lock(mutex);
            entries.emplace(name, std::move(entry));
            complete = --missing == 0;
        }
        if (complete) { // nobody else comes any more
            std::vector<std::string> all;
            for (auto& [of, text] : entries) {
                all.push_back(std::move(text));
            }
            then(std::move(all));
        }
    }
};

/// The entries of the nodes, at most `limit`, `depth` levels deep each.
void gather(const system_parts& parts, const std::vector<cluster_node>& nodes, std::size_t depth, std::size_t limit,
            const request& r, std::function<void(std::vector<std::string>)> then) {
    const auto count = std::min(nodes.size(), limit);
    if (count == 0) {
        then({});
        return;
    }
    const auto all = std::make_shared<gathering>();
    all->missing = count;
    all->then = std::move(then);
    const auto& s = parts.node->parts();
    for (std::size_t n = 0; n < count; ++n) {
        const auto& node = nodes[n];
        const part_of_tree wanted{std::string(nodes_path) + "/" + node.name, depth, limit};
        if (node.name == s.settings->cluster_name) {
            all->add(node.name, s.tree->to_json(wanted.prefix, depth, limit).value_or(silent_node(node, {})));
        } else {
            ask(parts, node, wanted, r,
                [all, name = node.name](expected<std::string> what) { all->add(name, std::move(what.value())); });
        }
    }
}

/// "/" or "/nodes".
void whole(const system_parts& parts, const std::vector<cluster_node>& nodes, const part_of_tree& wanted, bool root,
           const request& r, const responder& respond) {
    const std::size_t above = root ? 2 : 1;
    const auto finish = [root, wanted, count = nodes.size(), respond](const std::vector<std::string>* children) {
        auto out = group(nodes_path, "nodes", count, children);
        if (root) {
            const std::vector<std::string> one{std::move(out)};
            const std::vector<std::string> none;
            out = group("/", "", 1, wanted.depth == 0 ? nullptr : wanted.limit == 0 ? &none : &one);
        }
        respond({200, std::move(out)});
    };
    if (wanted.depth < above) {
        finish(nullptr);
        return;
    }
    gather(parts, nodes, wanted.depth - above, wanted.limit, r,
           [finish](const std::vector<std::string>& children) { finish(&children); });
}

void supervision(const system_parts& parts, const request& r, const responder& respond) {
    const auto cluster = cluster_of(parts);
    const auto wanted = part_in(r);
    if (!cluster || !wanted) {
        here(parts, r, respond);
        return;
    }
    const auto path = elements_of(wanted->prefix);
    if (path.size() < 2 && (path.empty() || path[0] == nodes_path.substr(1))) {
        whole(parts, cluster->nodes, *wanted, path.empty(), r, respond);
        return;
    }
    const auto* other = path.size() >= 2 && path[0] == nodes_path.substr(1) && path[1] != cluster->self
                            ? cluster->node(path[1])
                            : nullptr;
    if (!other) {
        here(parts, r, respond);
        return;
    }
    ask(parts, *other, *wanted, r, [r, respond](expected<std::string> what) {
        respond(what ? response{200, std::move(*what)} : net::to_response(what.error(), r));
    });
}

} // namespace

net::route supervision_route(const system_parts& parts) {
    answer_others(parts, std::string(question),
                  [&parts](const request& r, const responder& respond) { here(parts, r, respond); });
    return {.verb = net::verb::get,
            .path = "/supervision",
            .operation = "supervision",
            .summary = "The supervision tree, of all nodes.",
            .tag = "system",
            .permission = "system:read",
            .query = {{"prefix", "Path of the entry to start at.", R"({"type":"string"})", R"("/nodes/n1")"},
                      {"depth", "Levels below it.", R"({"type":"integer","minimum":0,"maximum":16,"default":3})"},
                      {"limit", "Children of each.", R"({"type":"integer","minimum":0,"maximum":1000,"default":100})"}},
            .reply = net::body_type{"supervision", [] { return std::string(entry_schema); }, nullptr},
            .errors = {code::not_found, code::unavailable, code::overloaded},
            .run = [&parts](const request& r, const responder& respond) { supervision(parts, r, respond); }};
}

} // namespace troupe::actors
