#include "actors/a2a/remote_agents.hpp"

#include "actors/common/secret_value.hpp"
#include "actors/common/text.hpp"
#include "net/client/http_client.hpp"
#include "net/mcp/rpc.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

namespace troupe::actors {
namespace {

namespace rpc = net::mcp;

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::size_t agents_max = 100;
constexpr std::size_t name_bytes_max = 40;
constexpr std::size_t reply_bytes_max = 4 << 20;
constexpr std::int64_t call_ms_max = 30'000;
constexpr std::int64_t remote_wait_ms_max = 30LL * 60 * 1000;
constexpr std::int64_t look_every_ms = 1000;

struct written_agent {
    std::string name;
    std::string url;
    std::string key;
    std::string description;
    std::string ca_file;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = name_bytes_max},
                                           {.name = "url", .required = true, .min = 8, .max = 2000},
                                           {.name = "key", .max = 4096},
                                           {.name = "description", .max = 1000},
                                           {.name = "ca_file", .max = 4096}};
};
BOOST_DESCRIBE_STRUCT(written_agent, (), (name, url, key, description, ca_file))

struct written_agents {
    std::vector<written_agent> agents;
    static constexpr field_rule rules[] = {{.name = "agents", .required = true, .max = agents_max}};
};
BOOST_DESCRIBE_STRUCT(written_agents, (), (agents))

struct ask_arguments {
    std::string message;
    static constexpr field_rule rules[] = {{.name = "message",
                                            .required = true,
                                            .min = 1,
                                            .max = 100'000,
                                            .doc = "All that it has to know: it sees nothing else."}};
};
BOOST_DESCRIBE_STRUCT(ask_arguments, (), (message))

bool is_name(const std::string& name) {
    return std::ranges::all_of(name,
                               [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// False when it was asked to stop before.
bool rest(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, std::chrono::milliseconds(look_every_ms), [] { return false; });
    return !stop.stop_requested();
}

std::string folder_of(std::string url) {
    if (!url.ends_with('/')) {
        url += '/';
    }
    return url;
}

/// One talk with a remote agent: its card, a message, and its task until that ends.
class talk {
public:
    talk(const remote_agent& with, std::string key, std::stop_token stop)
        : with_(with), key_(std::move(key)), stop_(std::move(stop)) {}

    /// `sent` is set before the message may have arrived.
    expected<std::string> ask(const std::string& message, const std::string& message_id, bool& sent) {
        auto found = find_endpoint();
        if (!found) {
            return found.error();
        }
        endpoint_ = std::move(*found);
        const auto params = fmt::format(R"({{"message":{{"messageId":{},"role":"ROLE_USER","parts":[{{"text":{}}}]}},)"
                                        R"("configuration":{{"returnImmediately":true}}}})",
                                        json::quoted(message_id), json::quoted(message));
        sent = true;
        auto answer = call("SendMessage", params);
        const auto until = monotonic_ms() + remote_wait_ms_max;
        for (;;) {
            const auto parsed = answer ? json::document::parse(*answer) : expected<json::document>(answer.error());
            if (!parsed) {
                return parsed.error();
            }
            const auto root = parsed->root();
            if (const auto said = root.find("message")) {
                return texts_in(said->find("parts"));
            }
            const auto task = root.find("task").value_or(root);
            const auto id = task.text_or("id");
            const auto status = task.find("status");
            const auto state = status ? status->text_or("state") : std::string();
            if (id.empty() || state.empty()) {
                return problem{code::tool_failed, "it answered with no task and no message of A2A 1.0"};
            }
            if (state != "TASK_STATE_SUBMITTED" && state != "TASK_STATE_WORKING") {
                return outcome(task, *status, state);
            }
            if (monotonic_ms() > until) {
                return problem{code::deadline_exceeded, "its task " + id + " had not ended after half an hour"};
            }
            if (!rest(stop_)) {
                return problem{code::cancelled, "the call was stopped"};
            }
            const auto next = call("GetTask", R"({"id":)" + json::quoted(id) + "}");
            if (next || next.error().code == code::tool_failed) { // else it is away, and may come back
                answer = next;
            }
        }
    }

private:
    static std::string texts_in(const std::optional<json::value>& parts) {
        std::string out;
        if (parts) {
            parts->each_element([&](json::value part) {
                const auto text = part.find("text");
                const auto data = part.find("data");
                out += text && text->as_string() ? std::string(*text->as_string()) + "\n"
                       : data                    ? data->dump() + "\n"
                                                 : std::string("(a file, which is not taken)\n");
            });
        }
        return out;
    }

    static expected<std::string> outcome(const json::value& task, const json::value& status, const std::string& state) {
        std::string out;
        if (const auto artifacts = task.find("artifacts")) {
            artifacts->each_element([&](json::value one) { out += texts_in(one.find("parts")); });
        }
        const auto message = status.find("message");
        const auto note = message ? texts_in(message->find("parts")) : std::string();
        if (state == "TASK_STATE_COMPLETED") {
            return out.empty() ? note.empty() ? std::string("It is done, and said nothing.\n") : note : out;
        }
        return problem{code::tool_failed, fmt::format("its task {} ended as {}{}{}", task.text_or("id"), state,
                                                      note.empty() ? "" : ": ", note)};
    }

    net::client_request request(std::string method, std::string url) const {
        net::client_request out;
        out.method = std::move(method);
        out.url = std::move(url);
        out.ca_file = with_.ca_file;
        out.time_out_ms = call_ms_max;
        out.reply_bytes_max = reply_bytes_max;
        out.headers.emplace_back("Accept", "application/json");
        out.headers.emplace_back("A2A-Version", "1.0");
        if (!key_.empty()) {
            out.headers.emplace_back("Authorization", "Bearer " + key_);
        }
        return out;
    }

    /// The key goes only to where the operator sent it: a card may not name another host.
    [[nodiscard]] bool is_same_host(const std::string& url) const {
        const auto host_of = [](const std::string& text) {
            const auto begin = text.find("://");
            return begin == std::string::npos ? std::string() : text.substr(0, text.find_first_of("/?#", begin + 3));
        };
        return host_of(url) == host_of(with_.url);
    }

    expected<std::string> find_endpoint() const {
        const auto answer = net::fetch(request("GET", folder_of(with_.url) + ".well-known/agent-card.json"), stop_);
        if (!answer) {
            return answer.error();
        }
        const auto card =
            answer->status == 200 ? json::document::parse(answer->body) : expected<json::document>(problem{});
        if (!card) {
            return problem{code::tool_failed,
                           fmt::format("its card is not there: {} answered {}", with_.url, answer->status)};
        }
        std::string out;
        if (const auto all = card->root().find("supportedInterfaces")) {
            all->each_element([&](json::value one) {
                if (out.empty() && one.text_or("protocolBinding") == "JSONRPC" &&
                    one.text_or("protocolVersion").starts_with("1.")) {
                    out = one.text_or("url");
                }
            });
        }
        if (out.empty()) {
            return problem{code::tool_failed, "its card names no JSONRPC interface of version 1"};
        }
        return is_same_host(out) ? expected<std::string>(out)
                                 : problem{code::tool_failed, "its card leads to another host, " + out};
    }

    expected<std::string> call(const std::string& method, const std::string& params) const {
        auto r = request("POST", endpoint_);
        r.headers.emplace_back("Content-Type", "application/json");
        r.body = rpc::write(rpc::rpc_request{std::int64_t{1}, method, {params}});
        const auto answer = net::fetch(r, stop_);
        if (!answer) {
            return answer.error();
        }
        const auto messages = rpc::read_messages(answer->body);
        if (!messages && (answer->status == 429 || answer->status >= 500)) { // of what stands before it: nobody knows
            return problem{code::unavailable, fmt::format("{} answered {}", endpoint_, answer->status)};
        }
        if (!messages || messages->size() != 1) {
            return problem{code::tool_failed, fmt::format("{} answered {} and no JSON-RPC", endpoint_, answer->status)};
        }
        if (const auto* refused = std::get_if<rpc::rpc_failure>(&messages->front())) {
            return problem{code::tool_failed,
                           fmt::format("it refused: {} ({})", refused->error.message, refused->error.code)};
        }
        const auto* result = std::get_if<rpc::rpc_result>(&messages->front());
        return result != nullptr ? expected<std::string>(result->result.text)
                                 : problem{code::tool_failed, "it answered with no result"};
    }

    const remote_agent& with_;
    std::string key_;
    std::stop_token stop_;
    std::string endpoint_;
};

custom_tool tool_of(remote_agent with, std::function<expected<std::string>(std::string_view)> find_secret) {
    const auto name = "ask_" + with.name;
    auto what = fmt::format("Asks the agent {} elsewhere, and waits for what it answers.{}{}", with.name,
                            with.description.empty() ? "" : " ", with.description);
    auto out = make_tool<ask_arguments>(
        name, std::move(what),
        [with = std::move(with), find_secret = std::move(find_secret)](const ask_arguments& a,
                                                                       const tool_environment& where) -> tool_result {
            auto key = read_value(with.key, find_secret);
            if (!key) {
                return refuse("The key of " + with.name + ": " + key.error().detail);
            }
            const auto id = to_string(derive_uuid({"a2a_ask", to_string(where.run.id), where.key}));
            bool sent = false;
            const auto said = talk(with, std::move(*key), where.stop).ask(a.message, id, sent);
            if (said) {
                return {.content = std::string(utf8_prefix(*said, tool_content_bytes_max))};
            }
            auto failed = refuse(with.name + ": " + said.error().detail);
            failed.unknown = sent && said.error().code != code::tool_failed;
            return failed;
        });
    out.safety = repeat_safety::once;
    out.permission = "agent";
    return out;
}

} // namespace

expected<std::vector<remote_agent>> parse_remote_agents(std::string_view text) {
    const auto read = from_json<written_agents>(text, strictness::input);
    if (!read) {
        return problem{code::config_invalid, read.error().detail, read.error().errors};
    }
    std::vector<remote_agent> out;
    std::set<std::string> names;
    for (std::size_t i = 0; i < read->agents.size(); ++i) {
        const auto& a = read->agents[i];
        const auto wrong = [&](std::string_view member, std::string_view why) {
            return problem{code::config_invalid, fmt::format("/agents/{}/{}: {}", i, member, why)};
        };
        if (!is_name(a.name) || !names.insert(a.name).second) {
            return wrong("name", "has to be of lower-case letters, digits and _, and each another one");
        }
        if (!a.url.starts_with("https://") && !a.url.starts_with("http://")) {
            return wrong("url", "has to begin with https:// or http://");
        }
        out.push_back({a.name, a.url, a.key, a.description, a.ca_file});
    }
    return out;
}

expected<std::vector<custom_tool>>
remote_agent_tools(const std::filesystem::path& file,
                   std::function<expected<std::string>(std::string_view name)> find_secret) {
    std::error_code nothing; // a data directory that cannot be one is not for here to judge
    if (!std::filesystem::exists(file, nothing)) {
        return std::vector<custom_tool>();
    }
    const auto text = read_whole_file(file, file_bytes_max);
    if (!text) {
        return text.error();
    }
    auto agents = parse_remote_agents(*text);
    if (!agents) {
        return problem{code::config_invalid, file.native() + ": " + agents.error().detail};
    }
    std::vector<custom_tool> out;
    for (auto& one : *agents) {
        out.push_back(tool_of(std::move(one), find_secret));
    }
    return out;
}

} // namespace troupe::actors
