#include "actors/system/other_nodes.hpp"

#include "runtime/cluster/membership.hpp"
#include "schemas/base/described.hpp"

#include <map>
#include <utility>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::response;

/// The parameters of a question: what of a request counts.
struct passed_request {
    std::map<std::string, std::string> query;
    uuid organization;
};
BOOST_DESCRIBE_STRUCT(passed_request, (), (query, organization))

problem unknown_node(std::string_view name) {
    return {code::not_found,
            "there is no node \"" + std::string(name) + "\": `troupe cluster nodes` lists them",
            {{"node", "is the name of no node"}}};
}

problem is_down(const std::string& name) {
    return {code::unavailable, "the node \"" + name + "\" is down: the others have what it had", {}, 1};
}

} // namespace

std::shared_ptr<const runtime::cluster::cluster_glance> cluster_of(const system_parts& parts) {
    auto* member = parts.node->member();
    return member ? member->glance() : nullptr;
}

void answer_others(const system_parts& parts, std::string question, net::handler run) {
    auto* member = parts.node->member();
    if (!member) {
        return;
    }
    member->commands().answer_with(
        std::move(question),
        [run = std::move(run)](std::string_view parameters, const runtime::cluster::question_done& then) {
            auto passed = from_json<passed_request>(parameters, strictness::stored);
            if (!passed) {
                then(passed.error());
                return;
            }
            request r;
            r.query = std::move(passed->query);
            r.who.organization = passed->organization;
            run(std::move(r), [then](response made) {
                then(made.status < 300 ? expected<std::string>(std::move(made.body))
                                       : from_problem_json(made.body, made.status));
            });
        });
}

void ask_other(const system_parts& parts, const runtime::cluster::cluster_node& node, std::string question,
               const request& r, std::function<void(expected<std::string>)> then) {
    if (!node.alive) {
        then(is_down(node.name));
        return;
    }
    auto checked = [then = std::move(then)](expected<std::string> what) {
        auto read = what ? json::make_raw(*what) : what.error();
        then(read ? expected<std::string>(std::move(read->text)) : read.error());
    };
    parts.node->member()->commands().ask_node(node.replica, std::move(question),
                                              to_json(passed_request{r.query, r.who.organization}), std::move(checked));
}

net::handler at_any_node(const system_parts& parts, std::string question, net::handler run) {
    answer_others(parts, question, run);
    return [&parts, question = std::move(question), run = std::move(run)](request r, responder respond) {
        const auto wanted = r.query_value("node");
        const auto cluster = wanted ? cluster_of(parts) : nullptr;
        const auto& self = parts.node->parts().settings->cluster_name;
        if (!wanted || *wanted == self) {
            run(std::move(r), std::move(respond));
            return;
        }
        const auto* other = cluster ? cluster->node(*wanted) : nullptr;
        if (!other) {
            respond(net::to_response(unknown_node(*wanted), r));
            return;
        }
        ask_other(parts, *other, question, r, [r, respond](expected<std::string> what) {
            respond(what ? response{200, std::move(*what)} : net::to_response(what.error(), r));
        });
    };
}

net::query_parameter node_parameter() {
    return {"node", "Name of the node that answers; without it the one that was asked.", R"({"type":"string"})",
            R"("n1")"};
}

} // namespace troupe::actors
