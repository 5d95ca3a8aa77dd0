#include "actors/a2a/a2a_call.hpp"

#include "actors/a2a/a2a_protocol.hpp"
#include "actors/a2a/a2a_watch.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/run.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using rpc::rpc_error;

constexpr std::size_t page_default = 50;
constexpr std::size_t page_max = 100;

/// A request that could be read.
struct asked {
    rpc::rpc_id id;
    std::string method;
    std::string params;
};

std::variant<asked, rpc_error> read_request(const request& r) {
    if (const auto version = r.header("a2a-version"); version && !version->empty() && !version->starts_with("1.")) {
        return rpc_error{a2a_version_not_supported, "This is version 1.0 of the protocol.", {}};
    }
    const auto messages = rpc::read_messages(r.body);
    const auto* one = messages && messages->size() == 1 ? std::get_if<rpc::rpc_request>(&messages->front()) : nullptr;
    if (one == nullptr) {
        return rpc_error{rpc::rpc_invalid_request, "This is no request of JSON-RPC 2.0.", {}};
    }
    return asked{one->id, one->method, one->params.is_null() ? "{}" : one->params.text};
}

std::string written(const rpc::rpc_id& id, std::string result) {
    return rpc::write(rpc::rpc_result{id, {std::move(result)}});
}
std::string written(const std::optional<rpc::rpc_id>& id, rpc_error why) {
    return rpc::write(rpc::rpc_failure{id, std::move(why)});
}

/// How one call ends: as a result, an error of the protocol, or, where the caller may not or has to wait, as HTTP has
/// it.
class call_end {
public:
    call_end(std::optional<rpc::rpc_id> id, responder respond) : id_(std::move(id)), respond_(std::move(respond)) {}

    void result(std::string json) const { respond_({.body = written(*id_, std::move(json))}); }
    void fail(rpc_error why) const { respond_({.body = written(id_, std::move(why))}); }

    /// Of an operation that was refused. `missing`: what 404 stands for.
    void refused(net::response answer, std::int64_t missing, std::int64_t conflict) const {
        const bool of_http =
            answer.status == 401 || answer.status == 403 || answer.status == 429 || answer.status >= 500;
        if (of_http) {
            return respond_(std::move(answer));
        }
        const auto said = json::document::parse(answer.body);
        const auto why = said ? said->root().text_or("detail", "It was refused.") : std::string("It was refused.");
        const auto code = answer.status == 404 ? missing : answer.status == 409 ? conflict : rpc::rpc_invalid_params;
        fail({code, why, {}});
    }

private:
    std::optional<rpc::rpc_id> id_;
    responder respond_;
};

/// Everything that one request needs while its operations answer.
struct call_state {
    a2a_parts& parts;
    request caller;
    asked what;
    call_end end;

    void ask(inner_request inner, std::function<void(net::response)> then) {
        parts.calls->ask(caller, inner, std::move(then));
    }
};
using call = std::shared_ptr<call_state>;

using with_task = std::function<void(const task_document&)>;

/// The task of that id, which has to be one of the agent's.
void find_task(const call& c, const std::string& id, const with_task& then) {
    c->ask({.operation = "get_agent", .params = {{"id", std::string(c->caller.param("id"))}}},
           [c, id, then](net::response agent) {
               if (agent.status != 200) {
                   return c->end.refused(std::move(agent), a2a_task_not_found, rpc::rpc_internal_error);
               }
               const auto whose = from_json<agent_document>(agent.body, strictness::stored);
               c->ask({.operation = "get_task", .params = {{"id", id}}}, [c, then, whose](net::response answer) {
                   const auto task = answer.status == 200 ? from_json<task_document>(answer.body, strictness::stored)
                                                          : expected<task_document>(problem{});
                   if (answer.status != 200) {
                       return c->end.refused(std::move(answer), a2a_task_not_found, rpc::rpc_internal_error);
                   }
                   const bool returned = task && !task->agent_id; // it was the agent's once, or is nobody's
                   if (!task || !whose || (!returned && task->agent_id != whose->id)) {
                       return c->end.fail({a2a_task_not_found, "The agent has no such task.", {}});
                   }
                   then(*task);
               });
           });
}

/// The newest questions of the task's run, newest first; with `status` only those.
void list_questions(const call& c, const task_document& task, const std::string& status,
                    const std::function<void(std::vector<approval_document>)>& then) {
    if (!task.run_id) {
        return then({});
    }
    std::map<std::string, std::string> query{{"run_id", to_string(*task.run_id)}, {"limit", "10"}};
    if (!status.empty()) {
        query.emplace("status", status);
    }
    c->ask({.operation = "list_approvals", .query = std::move(query)}, [then](const net::response& answer) {
        std::vector<approval_document> out;
        const auto page =
            answer.status == 200 ? json::document::parse(answer.body) : expected<json::document>(problem{});
        const auto items = page ? page->root().find("items") : std::nullopt;
        if (items) {
            items->each_element([&](json::value one) {
                auto approval = from_json<approval_document>(one, strictness::stored);
                if (approval && approval->reason == wait_reason::question) {
                    out.push_back(std::move(*approval));
                }
            });
        }
        then(std::move(out));
    });
}

/// What the task's run asks of a person, while it waits for that.
void find_question(const call& c, const task_document& task,
                   const std::function<void(std::optional<approval_document>)>& then) {
    if (task.status != task_status::in_progress) {
        return then(std::nullopt);
    }
    list_questions(c, task, "pending", [then](const std::vector<approval_document>& all) {
        then(all.empty() ? std::nullopt : std::optional(all.back()));
    });
}

void answer_with(const call& c, const task_document& task, bool wrapped) {
    find_question(c, task, [c, task, wrapped](const std::optional<approval_document>& question) {
        const auto shown = a2a_task_of(task, question);
        c->end.result(wrapped ? R"({"task":)" + shown.json() + "}" : shown.json());
    });
}

/// Makes the task, or finds the one that the same message made. `then` with the document.
void make_task(const call& c, const a2a_message& message, const with_task& then) {
    c->ask({.operation = "create_agent_task",
            .params = {{"id", std::string(c->caller.param("id"))}},
            .body = to_json(task_for(message)),
            .key = "a2a/" + message.id},
           [c, then](net::response answer) {
               const auto task = answer.status == 201 ? from_json<task_document>(answer.body, strictness::stored)
                                                      : expected<task_document>(problem{});
               if (!task) {
                   return c->end.refused(std::move(answer), rpc::rpc_invalid_params, rpc::rpc_invalid_params);
               }
               c->ask({.operation = "get_task", .params = {{"id", to_string(task->id)}}}, // a repeat has an old answer
                      [then, task = *task](const net::response& now) {
                          const auto newer = now.status == 200 ? from_json<task_document>(now.body, strictness::stored)
                                                               : expected<task_document>(problem{});
                          then(newer ? *newer : task);
                      });
           });
}

void answer_question(const call& c, const a2a_message& message, const uuid& question, responder then) {
    decide_approval_body body;
    body.decision = decision::answer;
    body.answer = message.text;
    c->ask({.operation = "decide_approval",
            .params = {{"id", to_string(question)}},
            .body = to_json(body),
            .key = "a2a/" + message.id},
           std::move(then));
}

/// Whether that message was the answer to one of these before: it is there by its key, and else refused.
void find_repeat(const call& c, const a2a_message& message, std::vector<approval_document> decided,
                 const std::function<void(bool)>& then) {
    if (decided.empty()) {
        return then(false);
    }
    const auto id = decided.back().id;
    decided.pop_back();
    answer_question(c, message, id, [c, message, decided = std::move(decided), then](const net::response& answer) {
        const bool repeated = std::ranges::any_of(
            answer.headers, [](const auto& header) { return header.first == "Idempotent-Replayed"; });
        repeated ? then(true) : find_repeat(c, message, decided, then);
    });
}

/// The answer to what the task's run asked. Sent again it answers no other question.
void continue_task(const call& c, const a2a_message& message, const with_task& then) {
    find_task(c, message.task, [c, message, then](const task_document& task) {
        list_questions(c, task, "", [c, message, then, task](std::vector<approval_document> all) {
            std::optional<uuid> pending;
            for (const auto& one : all) {
                pending = one.status == approval_status::pending ? one.id : pending;
            }
            std::erase_if(all, [](const approval_document& one) { return one.status == approval_status::pending; });
            find_repeat(c, message, std::move(all), [c, message, then, task, pending](bool repeated) {
                if (repeated) {
                    return then(task);
                }
                if (!pending || task.status != task_status::in_progress) {
                    return c->end.fail({a2a_unsupported_operation,
                                        "This task asks nothing now: a message of its own begins another one.",
                                        {}});
                }
                answer_question(c, message, *pending, [c, then, task](net::response answer) {
                    if (answer.status != 200) {
                        return c->end.refused(std::move(answer), a2a_task_not_found, a2a_unsupported_operation);
                    }
                    then(task);
                });
            });
        });
    });
}

/// The task that a message is about, new or not.
void take_message(const call& c, const a2a_message& message, const with_task& then) {
    if (message.task.empty() && !message.context.empty()) {
        return c->end.fail({rpc::rpc_invalid_params, "/message/contextId: contexts are made here; leave it out.", {}});
    }
    message.task.empty() ? make_task(c, message, then) : continue_task(c, message, then);
}

/// From now to its end; nothing where it cannot be followed, which the caller is told.
/// `continued`: its run was just answered, and may not have heard of it yet.
std::shared_ptr<a2a_watch> watch(const call& c, const task_document& task, bool continued,
                                 a2a_watch::show_function show) {
    auto out = std::make_shared<a2a_watch>(std::move(show));
    const auto id = to_string(task.id);
    const bool questions = !continued && c->parts.calls->may(c->caller.who, "approval:read").has_value();
    const auto read = [c, id, task, continued](const auto& take) {
        c->ask({.operation = "get_task", .params = {{"id", id}}},
               [c, take, task, continued](const net::response& answer) {
                   const auto now = answer.status == 200 ? from_json<task_document>(answer.body, strictness::stored)
                                                         : expected<task_document>(problem{});
                   if (!now || continued) {
                       return take(a2a_task_of(now ? *now : task));
                   }
                   find_question(c, *now, [take, now](const auto& question) { take(a2a_task_of(*now, question)); });
               });
    };
    const auto begun = out->begin(*c->parts.live, c->caller.who.organization, id, questions, read);
    if (!begun) {
        c->end.fail({rpc::rpc_internal_error, begun.error().detail, {}});
        return nullptr;
    }
    return out;
}

void send_message(const call& c) {
    auto read = read_a2a_message(c->what.params);
    if (auto* wrong = std::get_if<rpc_error>(&read)) {
        return c->end.fail(std::move(*wrong));
    }
    const auto message = std::get<a2a_message>(read);
    take_message(c, message, [c, message](const task_document& task) {
        const bool continued = !message.task.empty(); // its answer is on its way: the question is not
        const auto shown = a2a_task_of(task);
        if (message.at_once || is_terminal(shown.state)) {
            return continued ? c->end.result(R"({"task":)" + shown.json() + "}") : answer_with(c, task, true);
        }
        const auto watching = watch(c, task, continued, [c](const a2a_task& now, const std::vector<std::string>&) {
            const bool over = is_terminal(now.state) || now.asks();
            if (over) {
                c->end.result(R"({"task":)" + now.json() + "}");
            }
            return !over;
        });
        if (watching) {
            c->parts.keep_until(c->caller.deadline_ms, watching);
        }
    });
}

void get_task(const call& c) {
    auto id = read_a2a_id(c->what.params);
    if (auto* wrong = std::get_if<rpc_error>(&id)) {
        return c->end.fail(std::move(*wrong));
    }
    find_task(c, std::get<std::string>(id), [c](const task_document& task) { answer_with(c, task, false); });
}

void cancel_task(const call& c) {
    auto id = read_a2a_id(c->what.params);
    if (auto* wrong = std::get_if<rpc_error>(&id)) {
        return c->end.fail(std::move(*wrong));
    }
    find_task(c, std::get<std::string>(id), [c](const task_document& task) {
        if (is_terminal(a2a_task_of(task).state)) {
            return c->end.fail({a2a_task_not_cancelable, "The task has ended.", {}});
        }
        c->ask({.operation = "cancel_task", .params = {{"id", to_string(task.id)}}}, [c](net::response answer) {
            const auto now = answer.status == 200 ? from_json<task_document>(answer.body, strictness::stored)
                                                  : expected<task_document>(problem{});
            now ? c->end.result(a2a_task_of(*now).json())
                : c->end.refused(std::move(answer), a2a_task_not_found, a2a_task_not_cancelable);
        });
    });
}

/// A page of the agent's tasks, newest first.
void list_tasks(const call& c) {
    const auto params = json::document::parse(c->what.params);
    for (const auto* filter : {"contextId", "status", "statusTimestampAfter"}) {
        const auto given = params ? params->root().text_or(filter) : std::string();
        if (!given.empty() && given != "TASK_STATE_UNSPECIFIED") {
            return c->end.fail(
                {a2a_unsupported_operation, std::string("/") + filter + ": tasks are not chosen by it here.", {}});
        }
    }
    const auto size = params ? params->root().int_or("pageSize", page_default) : std::int64_t{page_default};
    const auto limit = std::to_string(std::clamp<std::int64_t>(size, 1, page_max));
    const auto cursor = params ? params->root().text_or("pageToken") : std::string();
    c->ask({.operation = "list_agent_tasks",
            .params = {{"id", std::string(c->caller.param("id"))}},
            .query = cursor.empty() ? std::map<std::string, std::string>{{"limit", limit}}
                                    : std::map<std::string, std::string>{{"limit", limit}, {"cursor", cursor}}},
           [c](net::response answer) {
               const auto page =
                   answer.status == 200 ? json::document::parse(answer.body) : expected<json::document>(problem{});
               if (!page) {
                   return c->end.refused(std::move(answer), a2a_task_not_found, rpc::rpc_invalid_params);
               }
               std::string all;
               std::size_t count = 0;
               page->root().find("items")->each_element([&](json::value one) {
                   if (const auto task = from_json<task_document>(one, strictness::stored)) {
                       all += (all.empty() ? "" : ",") + a2a_task_of(*task).json();
                       ++count;
                   }
               });
               c->end.result(R"({"tasks":[)" + all + R"(],"nextPageToken":)" +
                             json::quoted(page->root().text_or("next_cursor")) + R"(,"pageSize":)" +
                             std::to_string(count) + "}");
           });
}

void refuse_method(const call& c) {
    const auto& name = c->what.method;
    if (name.find("PushNotification") != std::string::npos) {
        return c->end.fail({a2a_push_not_supported, "Nothing is pushed from here: stream, or ask again.", {}});
    }
    if (name == "GetExtendedAgentCard") {
        return c->end.fail({a2a_no_extended_card, "There is one card, for everyone who may see the agent.", {}});
    }
    c->end.fail({rpc::rpc_method_not_found, "There is no method " + name + ".", {}});
}

std::string event(const std::string& json) { return "data: " + json + "\n\n"; }

/// The watch of a stream, which ends when its reader turns away.
class watch_slot {
public:
    void put(std::shared_ptr<a2a_watch> one) {
        const std::lock_guard lock(mutex_);
        if (closed_ && one) {
            one->stop();
        }
        watch_ = std::move(one);
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        if (watch_) {
            watch_->stop();
        }
    }

private:
    std::mutex mutex_;
    bool closed_ = false;
    std::shared_ptr<a2a_watch> watch_;
};

/// A stream that has one answer.
net::stream_spec only(net::response answer) {
    net::stream_spec out;
    out.instead = std::move(answer);
    return out;
}

} // namespace

void a2a_parts::keep_until(std::int64_t deadline_ms, const std::shared_ptr<a2a_watch>& one) {
    const auto now_ms = monotonic_ms();
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const auto& other) {
        const auto watching = other.second.lock();
        const bool over = !watching || (other.first > 0 && other.first < now_ms);
        if (watching && over) {
            watching->stop();
        }
        return over;
    });
    waiting_.emplace_back(deadline_ms, one);
}

void answer_a2a(a2a_parts& p, const net::request& r, const net::responder& respond) {
    auto read = read_request(r);
    if (auto* wrong = std::get_if<rpc_error>(&read)) {
        return respond({.body = written(std::nullopt, std::move(*wrong))});
    }
    auto& what = std::get<asked>(read);
    const auto id = what.id;
    const auto c = std::make_shared<call_state>(call_state{p, r, std::move(what), {id, respond}});
    const auto& method = c->what.method;
    method == "SendMessage"  ? send_message(c)
    : method == "GetTask"    ? get_task(c)
    : method == "CancelTask" ? cancel_task(c)
    : method == "ListTasks"  ? list_tasks(c)
                             : refuse_method(c);
}

net::stream_spec stream_a2a(a2a_parts& p, const net::request& r) {
    auto read = read_request(r);
    if (auto* wrong = std::get_if<rpc_error>(&read)) {
        return only({.body = written(std::nullopt, std::move(*wrong))});
    }
    auto what = std::get<asked>(std::move(read));
    const bool sends = what.method == "SendStreamingMessage";
    auto message = sends ? read_a2a_message(what.params) : std::variant<a2a_message, rpc_error>(a2a_message{});
    auto id = sends ? std::variant<std::string, rpc_error>(std::string()) : read_a2a_id(what.params);
    for (auto* wrong : {std::get_if<rpc_error>(&message), std::get_if<rpc_error>(&id)}) {
        if (wrong != nullptr) {
            return only({.body = written(what.id, std::move(*wrong))});
        }
    }
    const auto watching = std::make_shared<watch_slot>();
    net::stream_spec out;
    out.closed = [watching] { watching->close(); };
    out.fed = [&p, r, what, sends, watching, message = std::get<a2a_message>(message),
               task_id = std::get<std::string>(id)](const net::stream_writer& write) {
        const responder refused = [write, rpc_id = what.id](const net::response& answer) {
            const auto why = rpc_error{rpc::rpc_invalid_request, answer.body, {}};
            write({event(answer.status == 200 ? answer.body : written(rpc_id, why)), true});
        };
        const auto c = std::make_shared<call_state>(call_state{p, r, what, {what.id, refused}});
        const auto follow = [c, write, watching, continued = !message.task.empty()](const task_document& task) {
            watching->put(watch(c, task, continued, [write, id = c->what.id](const a2a_task& now, const auto& updates) {
                std::string bytes;
                for (const auto& one : updates) {
                    bytes += event(written(id, one));
                }
                return write({std::move(bytes), is_terminal(now.state)});
            }));
        };
        sends ? take_message(c, message, follow) : find_task(c, task_id, follow);
    };
    return out;
}

bool wants_a2a_stream(std::string_view body) {
    const auto parsed = json::document::parse(body);
    const auto method = parsed ? parsed->root().text_or("method") : std::string();
    return method == "SendStreamingMessage" || method == "SubscribeToTask";
}

} // namespace troupe::actors
