#include "actors/run/chat_routes.hpp"

#include "actors/common/ended_subscriptions.hpp"
#include "actors/run/agent_wish.hpp"
#include "actors/run/chat.hpp"
#include "actors/run/run_images.hpp"
#include "actors/run/run_model.hpp"
#include "net/http/handlers.hpp"
#include "runtime/bus/bus.hpp"
#include "schemas/agent.hpp"
#include "schemas/base/clock.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

using net::verb;

const std::string kind{run_model::kind};
constexpr std::size_t models_max = 1000;

/// A problem as all routes have it, with the member `error` that clients of this protocol look for.
net::response refused(const problem& p, const net::request& r) {
    auto out = net::to_response(p, r);
    out.body.pop_back();
    out.body += "," + chat_error(p).substr(1);
    return out;
}

/// A run that is about to be made for a request.
struct conversation {
    uuid run;
    runtime::command create;
    chat_writer writer;
    bool usage = false;
};

expected<agent_document> find_agent(const runtime::services& s, net::request r, const std::string& name) {
    r.params["id"] = name;
    const auto id = net::resolve_id(s, r, "agent", "name");
    const auto stored = id ? storage::read_document(*s.store, {r.who.organization, "agent", *id})
                           : expected<std::optional<storage::stored_document>>(id.error());
    if (!stored || !*stored) {
        return problem{code::not_found,
                       "there is no agent '" + name + "': GET /v1/models lists them, `troupe agent create` makes one",
                       {{"/model", "is no agent's name"}}};
    }
    return from_json<agent_document>((*stored)->json, strictness::stored);
}

/// Stores the pictures of a conversation, and puts them where they were said.
expected<void> keep_pictures(const runtime::services& s, const uuid& organization, const chat_request& asked,
                             begin_conversation& into) {
    for (const auto& [message, given] : asked.images) {
        auto kept = keep_images(*s.store, organization, given, "/messages");
        if (!kept) {
            return kept.error();
        }
        auto& place = message == 0 ? into.run.images : into.messages.at(message - 1).images;
        place = std::move(*kept);
    }
    return {};
}

expected<conversation> begin(const runtime::services& s, const net::request& r) {
    auto asked = read_chat_request(r.body);
    if (!asked) {
        return asked.error();
    }
    const auto agent = find_agent(s, r, asked->model);
    if (!agent) {
        return agent.error();
    }
    begin_conversation what;
    what.run.goal = std::move(asked->goal);
    what.run.agent_id = agent->id;
    what.run.created_by = r.who.name;
    what.run.on_unknown = agent->settings.on_unknown;
    what.run.limits.tokens = asked->output_tokens_max;
    fill_from_agent(what.run, agent->settings);
    if (!asked->instructions.empty()) {
        what.run.instructions += (what.run.instructions.empty() ? "" : "\n\n") + asked->instructions;
    }
    what.messages = std::move(asked->messages);
    if (auto kept = keep_pictures(s, r.who.organization, *asked, what); !kept) {
        return kept.error();
    }
    conversation out;
    out.run = net::id_for_create(r, "create_chat_completion");
    const auto payload = to_json(what);
    if (payload.size() > limits::body_bytes_max) { // the body may be larger, for its pictures
        return problem{code::payload_too_large, fmt::format("A conversation without its pictures has at most {} bytes.",
                                                            limits::body_bytes_max)};
    }
    auto command =
        net::make_command(r, {r.who.organization, kind, out.run}, wire_name<begin_conversation>::value, payload);
    if (!command) {
        return command.error();
    }
    out.create = std::move(*command);
    out.writer = {"chatcmpl-" + to_string(out.run), asked->model, system_now()};
    out.usage = asked->stream_usage;
    return out;
}

runtime::subscription_request events_of(const net::request& r, const uuid& run) {
    return {r.who.organization, {"runs/" + to_string(run)}, "", {}};
}

// ---- one answer

/// Waits for the end of a run, and answers. When the request's time is over before, the edge has answered.
class pending_answer : public std::enable_shared_from_this<pending_answer> {
public:
    pending_answer(net::request r, chat_writer writer, net::responder respond,
                   std::shared_ptr<ended_subscriptions> over)
        : asked_(std::move(r)), writer_(std::move(writer)), respond_(std::move(respond)), over_(std::move(over)) {}

    expected<void> listen(const runtime::services& s, const uuid& run) {
        auto subscribed =
            s.live->subscribe(events_of(asked_, run), [self = shared_from_this()](const auto& e) { self->take(e); });
        if (!subscribed) {
            return subscribed.error();
        }
        const std::lock_guard lock(mutex_);
        subscription_ = std::move(*subscribed);
        return {};
    }

    void refuse(const problem& p) { end(refused(p, asked_)); }

private:
    void take(const runtime::live_event& e) {
        chat_answer::news news;
        std::string body;
        {
            const std::lock_guard lock(mutex_);
            news = answer_.take(e.kind, e.data);
            body = news.ended && !news.failed ? writer_.completion(answer_) : "";
        }
        if (news.ended) {
            end(news.failed ? refused(*news.failed, asked_) : net::response{.status = 200, .body = std::move(body)});
        }
    }

    /// The first end counts.
    void end(net::response with) {
        {
            const std::lock_guard lock(mutex_);
            if (!subscription_) {
                return;
            }
            over_->add(std::move(subscription_));
        }
        respond_(std::move(with));
    }

    const net::request asked_;
    const chat_writer writer_;
    const net::responder respond_;
    const std::shared_ptr<ended_subscriptions> over_;
    std::mutex mutex_;
    chat_answer answer_;
    std::unique_ptr<runtime::subscription> subscription_; ///< Null: it has ended.
};

net::handler complete_chat(const runtime::services& s) {
    return [&s, over = std::make_shared<ended_subscriptions>()](const net::request& r, const net::responder& respond) {
        over->clear();
        auto what = begin(s, r);
        if (!what) {
            respond(refused(what.error(), r));
            return;
        }
        auto answer = std::make_shared<pending_answer>(r, what->writer, respond, over);
        if (auto listens = answer->listen(s, what->run); !listens) {
            respond(refused(listens.error(), r));
            return;
        }
        s.submit(std::move(what->create), [answer](const runtime::reply& made) {
            if (!made) {
                answer->refuse(made.error());
            }
        });
    };
}

// ---- a stream

/// Live only, on the run's channel: it could not be made.
constexpr std::string_view not_made = "chat_not_made";

std::string error_event(const problem& p) { return "data: " + chat_error(p) + "\n\n"; }

net::own_form chunks_of(const conversation& what) {
    return [writer = what.writer, usage = what.usage, answer = std::make_shared<chat_answer>(),
            begun = std::make_shared<bool>(false)](const runtime::live_event& e) -> net::own_text {
        if (e.kind == not_made) {
            return {"data: " + e.data + "\n\n", true};
        }
        const auto news = answer->take(e.kind, e.data);
        std::string out = std::exchange(*begun, true) ? "" : writer.first_chunk();
        out += news.text.empty() ? "" : writer.text_chunk(news.text);
        if (news.ended) {
            out += news.failed ? error_event(*news.failed) : writer.last_chunk(*answer, usage);
        }
        return {std::move(out), news.ended};
    };
}

net::stream_handler stream_chat(const runtime::services& s) {
    return [&s](const net::request& r, const std::function<void(expected<net::stream_spec>)>& answer) {
        auto what = begin(s, r);
        if (!what) {
            answer(what.error());
            return;
        }
        net::stream_spec spec;
        const auto events = events_of(r, what->run);
        spec.channels = events.channels;
        spec.form = chunks_of(*what);
        spec.broken = error_event({code::unavailable, "the stream ended before the run: GET /api/v1/runs/" +
                                                          to_string(what->run) + " shows how it goes on"});
        spec.opened = [&s, command = std::move(what->create), channel = events.channels.front(),
                       organization = r.who.organization] {
            s.submit(command, [&s, channel, organization](const runtime::reply& made) {
                if (!made) {
                    s.live->publish(
                        {{}, system_now(), channel, std::string(not_made), chat_error(made.error()), organization});
                }
            });
        };
        answer(std::move(spec));
    };
}

// ---- models

net::handler list_models(const runtime::services& s) {
    return [&s](const net::request& r, const net::responder& respond) {
        storage::list_query query;
        query.organization = r.who.organization;
        query.kind = "agent";
        query.limit = models_max;
        const auto page = storage::read_list(*s.store, query);
        if (!page) {
            respond(refused(page.error(), r));
            return;
        }
        std::string all;
        for (const auto& one : page->items) {
            if (const auto agent = from_json<agent_document>(one.json, strictness::stored)) {
                all += (all.empty() ? "" : ",") + (R"({"id":)" + json::quoted(agent->settings.name)) +
                       R"(,"object":"model","created":)" + std::to_string(agent->created_at.ms / 1000) +
                       R"(,"owned_by":"troupe"})";
            }
        }
        respond({.status = 200, .body = R"({"object":"list","data":[)" + all + "]}"});
    };
}

/// As the protocol has it, which this node does not define: clients send much that means nothing here.
net::body_type open_object(std::string name, std::string example, std::size_t bytes_max = limits::body_bytes_max) {
    net::body_type out;
    out.bytes_max = bytes_max;
    out.name = std::move(name);
    out.schema = [] { return R"({"type":"object","additionalProperties":true})"; };
    out.example = std::move(example);
    return out;
}

} // namespace

std::vector<net::route> chat_routes(const runtime::services& s) {
    return {
        {.verb = verb::get,
         .path = "/v1/models",
         .operation = "list_chat_models",
         .summary = "Lists agents as models, as clients of OpenAI's protocol ask for them.",
         .tag = "runs",
         .permission = "agent:read",
         .reply = open_object("chat_models", {}),
         .run = list_models(s),
         .rooted = true},
        {.verb = verb::post,
         .path = "/v1/chat/completions",
         .operation = "create_chat_completion",
         .summary = "Lets an agent answer, by OpenAI's protocol: `model` is its name. It is a run as any other.",
         .tag = "runs",
         .permission = "run:write",
         .body = open_object("chat_completion_request",
                             R"({"model":"scout","messages":[{"role":"user","content":"What is in this project?"}]})",
                             images_body_bytes_max),
         .reply = open_object("chat_completion", {}),
         .errors = {code::invalid_request, code::not_found},
         .run = complete_chat(s),
         .blocks = net::blocks_on_contents(s),
         .stream = stream_chat(s),
         .streams = [](const net::request& r) { return wants_chat_stream(r.body); },
         .rooted = true}};
}

} // namespace troupe::actors
