#include "actors/cluster/cluster_model.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/waiting.hpp"
#include "actors/system/system_routes.hpp"
#include "net/http/handlers.hpp"
#include "runtime/cluster/cluster_view.hpp"
#include "runtime/cluster/membership.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"
#include "schemas/cluster.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::response;
using net::route;
using net::verb;
using runtime::cluster::cluster_view;

const std::vector<net::query_parameter> which_shard{
    {"shard", "Its number.", R"({"type":"integer","minimum":0})", "17"}};
const std::vector<net::query_parameter> which_node{{"name", "Its name.", R"({"type":"string"})", R"("n2")"}};

/// A node alone has every shard, once.
cluster_view view_alone(const runtime::services& s) {
    cluster_view out;
    auto& sum = out.summary;
    const auto& who = s.store->who();
    sum.id = who.cluster;
    sum.node = s.settings->cluster_name;
    sum.shards = who.shards;
    sum.nodes.push_back({sum.node, who.replica, cluster_node_status::up, "", TROUPE_VERSION, who.shards, who.shards});
    for (std::uint32_t shard = 0; shard < who.shards; ++shard) {
        out.shards.push_back({shard, 0, sum.node, {sum.node}, {}, {}, true});
    }
    return out;
}

void look(const system_parts& parts, std::function<void(cluster_view)> then) {
    const auto complete = [&node = *parts.node, then = std::move(then)](cluster_view view) {
        view.summary.placed = node.placed();
        then(std::move(view));
    };
    if (auto* member = parts.node->member()) {
        member->look(complete);
    } else {
        complete(view_alone(parts.node->parts()));
    }
}

/// By number, those after the one that the cursor names.
response page_of_shards(const std::vector<cluster_shard_document>& all, const request& r, std::size_t limit) {
    std::uint32_t from = 0;
    if (const auto text = r.query_value("cursor")) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), from);
        if (error != std::errc() || end != text->data() + text->size()) {
            return net::to_response({code::invalid_request,
                                     "the cursor cannot be read; take `next_cursor` of the page before as it is, or "
                                     "start without one",
                                     {{"cursor", "is not a cursor of this list"}}},
                                    r);
        }
    }
    std::vector<std::string> items;
    for (; from < all.size() && items.size() < limit; ++from) {
        items.push_back(to_json(all[from]));
    }
    response out;
    out.body = net::list_body(items, from < all.size() ? std::optional(std::to_string(from)) : std::nullopt);
    return out;
}

route show(const system_parts& parts) {
    return {.verb = verb::get,
            .path = "/cluster",
            .operation = "get_cluster",
            .summary = "The nodes and how the shards are spread, as this node sees it.",
            .tag = "cluster",
            .permission = "system:read",
            .reply = net::reply_of<cluster_document>("cluster"),
            .run = [&parts](const request&, const responder& respond) {
                look(parts, [respond](const cluster_view& view) { respond({200, to_json(view.summary)}); });
            }};
}

route list_shards(const system_parts& parts) {
    return {.verb = verb::get,
            .path = "/cluster/shards",
            .operation = "list_shards",
            .summary = "Who leads each shard and who has its copies, as this node sees it.",
            .tag = "cluster",
            .permission = "system:read",
            .query = net::page_parameters(),
            .reply = page_of<cluster_shard_document>("shard_list"),
            .run = [&parts](const request& r, const responder& respond) {
                const auto limit = net::page_limit(r);
                if (!limit) {
                    respond(net::to_response(limit.error(), r));
                    return;
                }
                look(parts, [r, respond, limit = *limit](const cluster_view& view) {
                    respond(page_of_shards(view.shards, r, limit));
                });
            }};
}

using runtime::cluster::membership;

/// What is done by changing what the cluster has agreed on: by this node, but not only to it.
struct cluster_act {
    net::command_payload noted; ///< For the audit log.
    std::function<void(membership& member, membership::changed done)> perform;
};
using act_of = std::function<expected<cluster_act>(const request& r)>;

template <class Command>
net::command_payload payload_of(const Command& c) {
    return {std::string(wire_name<Command>::value), to_json(c)};
}

/// Where the cluster cannot write, being able to mend it is worth more than the entry.
constexpr std::chrono::milliseconds note_wait_max{2000};

runtime::command note_of(const request& r, net::command_payload what) {
    auto out = net::caller_command(r, cluster_address(), what.type, std::move(what.payload));
    out.deadline_ms = monotonic_ms() + note_wait_max.count();
    return out;
}

void note_outcome(const runtime::services& s, const request& r, std::uint64_t of, const expected<void>& done) {
    note_cluster_change what{of, {}, {}};
    if (!done) {
        what.code = explain(done.error().code).name;
        what.detail = done.error().detail;
    }
    s.submit(note_of(r, payload_of(what)), [](const runtime::reply& noted) {
        if (!noted) {
            log_for("audit").error("what came of a change of the cluster is not in the audit log: {}",
                                   noted.error().detail);
        }
    });
}

/// Noted before it is done, so that one that fails is seen, too, and one of which nobody knows what came. Blocks: an
/// owner that has lost its quorum answers when it has one again.
void perform_noted(const runtime::services& s, membership& member, const request& r, const cluster_act& act,
                   membership::changed done) {
    auto promise = std::make_shared<std::promise<runtime::reply>>();
    auto answer = promise->get_future();
    s.submit(note_of(r, act.noted),
             [promise = std::move(promise)](runtime::reply noted) { promise->set_value(std::move(noted)); });
    auto noted = wait_for(std::move(answer), note_wait_max, "the shard of its entity takes no commands now");
    if (!noted) {
        log_for("audit").warn("{} {} by {} is done, but is not in the audit log: {}", act.noted.type, act.noted.payload,
                              r.who.name, noted.error().detail);
    }
    act.perform(member, [&s, r, done = std::move(done), noted = std::move(noted)](const expected<void>& changed) {
        if (noted) {
            note_outcome(s, r, noted->version, changed);
        }
        done(changed);
    });
}

route change_cluster(const system_parts& parts, route like, act_of what) {
    like.tag = "cluster";
    like.permission = "system:admin";
    like.success = 204;
    like.errors = {code::not_found, code::conflict, code::unavailable, code::unknown_outcome};
    like.blocks = [] { return true; };
    like.run = [&parts, what = std::move(what)](const request& r, const responder& respond) {
        auto* member = parts.node->member();
        auto act = member ? what(r)
                          : problem{code::conflict, "this is a node alone: it has no cluster in which that could be "
                                                    "done"};
        if (!act) {
            respond(net::to_response(act.error(), r));
            return;
        }
        perform_noted(parts.node->parts(), *member, r, *act, [r, respond](const expected<void>& done) {
            respond(done ? response{204} : net::to_response(done.error(), r));
        });
    };
    return like;
}

/// What is done with one node.
template <class Command>
route change_node(const system_parts& parts, verb how, std::string path, std::string operation, std::string summary,
                  void (membership::*what)(std::string name, membership::changed done)) {
    return change_cluster(parts,
                          {.verb = how,
                           .path = std::move(path),
                           .operation = std::move(operation),
                           .summary = std::move(summary),
                           .in_path = which_node},
                          [what](const request& r) -> expected<cluster_act> {
                              const std::string name(r.param("name"));
                              return cluster_act{payload_of(Command{name}), [=](membership& member, auto done) {
                                                     (member.*what)(name, std::move(done));
                                                 }};
                          });
}

/// The shard of the path, when there is one of that number.
expected<std::uint32_t> shard_of(const system_parts& parts, const request& r) {
    const auto text = r.param("shard");
    const auto shards = parts.node->parts().store->who().shards;
    std::uint32_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size() || out >= shards) {
        return problem{code::not_found, "there is no shard \"" + std::string(text) +
                                            "\": they are numbered from 0 to " + std::to_string(shards - 1)};
    }
    return out;
}

route move_one_shard(const system_parts& parts) {
    return change_cluster(parts,
                          {.verb = verb::post,
                           .path = "/cluster/shards/{shard}/move",
                           .operation = "move_shard",
                           .summary = "Lets a node lead a shard from now on, whenever it is up. No command is lost.",
                           .in_path = which_shard,
                           .body = net::body_of<move_shard_body>("move_shard")},
                          [&parts](const request& r) -> expected<cluster_act> {
                              const auto shard = shard_of(parts, r);
                              const auto body = from_json<move_shard_body>(r.body, strictness::input);
                              if (!shard || !body) {
                                  return shard ? body.error() : shard.error();
                              }
                              return cluster_act{
                                  payload_of(move_shard{*shard, body->to}),
                                  [shard = *shard, to = body->to](membership& member, membership::changed done) {
                                      member.move(shard, to, std::move(done));
                                  }};
                          });
}

route move_one_shard_back(const system_parts& parts) {
    return change_cluster(parts,
                          {.verb = verb::del,
                           .path = "/cluster/shards/{shard}/move",
                           .operation = "move_shard_back",
                           .summary = "Lets a shard that was moved by hand go back to where it belongs by itself.",
                           .in_path = which_shard},
                          [&parts](const request& r) -> expected<cluster_act> {
                              const auto shard = shard_of(parts, r);
                              if (!shard) {
                                  return shard.error();
                              }
                              return cluster_act{payload_of(move_shard_back{*shard}),
                                                 [shard = *shard](membership& member, membership::changed done) {
                                                     member.move_back(shard, std::move(done));
                                                 }};
                          });
}

} // namespace

std::vector<route> cluster_routes(const system_parts& parts) {
    return {show(parts),
            list_shards(parts),
            move_one_shard(parts),
            move_one_shard_back(parts),
            change_node<drain_node>(
                parts, verb::post, "/cluster/nodes/{name}/drain", "drain_node",
                "Lets a node lead nothing any more: its shards go to others, one after the other. For repairs.",
                &membership::drain),
            change_node<resume_node>(parts, verb::post, "/cluster/nodes/{name}/resume", "resume_node",
                                     "Lets a node that was drained lead shards again.", &membership::resume),
            change_node<remove_node>(
                parts, verb::del, "/cluster/nodes/{name}", "remove_node",
                "Forgets a node that is lost for good, so that another one may take its place. It has to be down.",
                &membership::remove)};
}

} // namespace troupe::actors
