#include "actors/common/secret_value.hpp"
#include "actors/mcp/mcp_desk.hpp"
#include "actors/mcp/mcp_offers.hpp"
#include "actors/tool/tool_performers.hpp"
#include "net/http/text.hpp"
#include "net/mcp/http_transport.hpp"
#include "net/mcp/session.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

namespace troupe::actors {

namespace fs = std::filesystem;
namespace mcp = net::mcp;

namespace {

constexpr std::int64_t back_off_first_ms = 1'000;
constexpr std::int64_t back_off_max_ms = 60'000;
constexpr std::int64_t settled_ms = 60'000; ///< After so long the back-off begins anew.
constexpr std::int64_t check_every_ms = 30'000;
constexpr std::int64_t check_ms_max = 5'000;
constexpr std::size_t missed_checks_max = 3; ///< Then it is started anew.
constexpr std::int64_t flush_again_ms = 10;
/// What nobody asked for, in so much time: a server that says more is a burden for all.
constexpr std::uint64_t noise_max = 10'000;
constexpr std::int64_t noise_ms = 10'000;
constexpr std::size_t progress_bytes_max = 1'000; ///< Of its message.
/// Servers go by roots in place of their own arguments: none are offered where the operator names none.
constexpr std::string_view offered_to_servers = R"({"elicitation":{"form":{},"url":{}}})";
constexpr std::string_view offered_with_roots = R"({"elicitation":{"form":{},"url":{}},"roots":{}})";
constexpr std::int64_t life_ms_max = 10LL * 365 * 24 * 3'600'000;

} // namespace

/// What the actor does. One for each of its starts.
struct mcp_desk::keeper {
    keeper(mcp_desk& d, runtime::nudge w) : desk(d), wake(std::move(w)), offered(d) {}

    ~keeper() { drop({code::unavailable, "The connection is started anew."}); }

    std::optional<std::int64_t> look() {
        const auto now_ms = monotonic_ms();
        if (!take_wishes(now_ms)) {
            return {};
        }
        if (!connection && now_ms < retry_ms) {
            refuse_waiting();
            return retry_ms - now_ms;
        }
        if (!connection) {
            begin(now_ms);
        }
        if (!connection) {
            return std::max<std::int64_t>(retry_ms - now_ms, 0);
        }
        hear(now_ms);
        if (session) {
            keep_alive(now_ms); // what is to be followed is asked for before a call changes it
            send_calls(now_ms);
            send_answers(now_ms);
            take_events(now_ms);
        }
        return next_ms(now_ms);
    }

    /// False: it is not to be connected.
    bool take_wishes(std::int64_t now_ms) {
        const std::scoped_lock lock(desk.mutex_);
        const bool anew = std::exchange(starts, desk.wanted_starts_) != desk.wanted_starts_;
        if ((!desk.wanted_ || anew) && connection) {
            lost_locked = "somebody stopped it";
        }
        if (anew) {
            retry_ms = now_ms;
            back_off_ms = back_off_first_ms;
        }
        const bool wanted = desk.wanted_;
        if (!wanted) {
            desk.shown_.health.status = mcp_status::stopped;
            desk.shown_.health.retry_at.reset();
        }
        if (!lost_locked.empty()) {
            end_connection();
            finish_all({code::unavailable, desk.settings_.name + ": " + std::exchange(lost_locked, {}) + "."});
        }
        if (!wanted) {
            finish_all({code::unavailable, "The MCP server " + desk.settings_.name + " is stopped."});
        }
        return wanted;
    }

    // ---- the process

    expected<std::unique_ptr<mcp::transport>> connect() {
        return desk.settings_.url.empty() ? start_process() : connect_url();
    }

    /// The operator names the address: it is asked wherever it is, and redirects are not followed.
    expected<std::unique_ptr<mcp::transport>> connect_url() {
        mcp::http_transport_settings s;
        s.url = desk.settings_.url;
        for (const auto& [name, value] : desk.settings_.headers) {
            auto found = read_value(value, desk.parts_.find_secret);
            if (!found) {
                return problem{found.error().code, fmt::format("its header {}: {}", name, found.error().detail)};
            }
            s.headers.emplace_back(name, std::move(*found));
        }
        if (const auto found = desk.parts_.tokens.find(desk.settings_.name); found != desk.parts_.tokens.end()) {
            s.authorization = [tokens = found->second] { return tokens->authorization(); };
            s.challenged = [tokens = found->second](int status, std::string_view asks, const auto& sent) {
                return tokens->challenged(status, asks, sent);
            };
        }
        return mcp::make_http_transport(std::move(s), wake);
    }

    expected<std::unique_ptr<mcp::transport>> start_process() {
        auto made = spec();
        if (!made) {
            return made.error();
        }
        auto* commands = desk.settings_.sandbox ? desk.parts_.confined : desk.parts_.free;
        auto started =
            mcp_connection::start(*commands, "mcp/" + desk.settings_.name + "/" + to_string(make_uuid()),
                                  std::move(*made), desk.parts_.folder / ".input", wake,
                                  [me = desk.shared_from_this()](std::string line) { me->note(std::move(line)); });
        return started ? expected<std::unique_ptr<mcp::transport>>(std::move(*started)) : started.error();
    }

    expected<runtime::command_spec> spec() const {
        const auto& s = desk.settings_;
        runtime::command_spec out;
        out.argv = s.command;
        out.project = desk.parts_.folder / s.name;
        out.network = s.network;
        out.limits.time_ms = life_ms_max;
        out.limits.output_bytes = 64 << 10;
        for (const auto& [name, value] : s.environment) {
            auto found = read_value(value, desk.parts_.find_secret);
            if (!found) {
                return problem{found.error().code, fmt::format("its variable {}: {}", name, found.error().detail)};
            }
            out.environment[name] = std::move(*found);
        }
        std::error_code failed;
        fs::create_directories(out.project, failed);
        if (failed) {
            return problem{code::internal, fmt::format("its folder cannot be made: {}", failed.message())};
        }
        return out;
    }

    void begin(std::int64_t now_ms) {
        auto started = connect();
        if (!started) {
            return fail(started.error().detail, now_ms);
        }
        connection = std::move(*started);
        session.emplace(mcp::session_settings{
            .client_version = TROUPE_VERSION,
            .capabilities = {std::string(desk.settings_.roots.empty() ? offered_to_servers : offered_with_roots)},
            .log_level = std::string(mcp_log_level),
            .probe = probe});
        ++sessions;
        session->open(now_ms);
        begun_ms = now_ms;
        offered.close();
        ping_call = 0;
        missed_checks = 0;
        notifications = noise_before = 0;
        noise_since_ms = now_ms;
        const std::scoped_lock lock(desk.mutex_);
        desk.shown_.health.status = mcp_status::starting;
        desk.shown_.health.retry_at.reset();
    }

    /// The connection is of no more use.
    void fail(const std::string& why, std::int64_t now_ms) {
        if (session && session->is_probing() && desk.settings_.url.empty()) {
            probe = false; // it may have ended because it does not know the probe
        }
        if (now_ms - begun_ms > settled_ms) {
            back_off_ms = back_off_first_ms;
        }
        drop({code::unavailable, fmt::format("The MCP server {} is away: {}.", desk.settings_.name, why)});
        retry_ms = now_ms + back_off_ms;
        log_for("mcp").warn("{} is away: {}; it is started anew in {} ms", desk.settings_.name, why, back_off_ms);
        desk.note("[troupe] away: " + why);
        const std::scoped_lock lock(desk.mutex_);
        auto& health = desk.shown_.health;
        health.status = mcp_status::error;
        health.error = why;
        health.retry_at = system_now() + back_off_ms;
        ++health.restarts;
        back_off_ms = std::min(back_off_ms * 2, back_off_max_ms);
    }

    void drop(const problem& why) {
        const std::scoped_lock lock(desk.mutex_);
        end_connection();
        finish_all(why);
    }

    /// Ending a process takes a moment, which the actor has not.
    void end_connection() {
        session.reset();
        tickets.clear();
        if (connection) {
            ending = std::jthread([gone = std::move(connection)]() mutable { gone.reset(); });
        }
    }

    // ---- calls; under the mutex

    void finish_all(const problem& why) {
        for (auto& [ticket, call] : desk.calls_) {
            finish(*call, why);
        }
        desk.to_send_.clear();
    }

    static void finish(open_call& call, expected<json::raw> with) {
        if (!call.answer) {
            call.answer = std::move(with);
            call.changed.notify_all();
        }
    }

    void refuse_waiting() {
        const std::scoped_lock lock(desk.mutex_);
        finish_all(
            {code::unavailable, fmt::format("The MCP server {} is away: {}. It is started anew.", desk.settings_.name,
                                            desk.shown_.health.error.value_or("it ended"))});
    }

    // ---- the session

    void hear(std::int64_t now_ms) {
        for (const auto& line : connection->take_lines()) {
            session->received(line, now_ms);
        }
        session->passed(now_ms);
        if (is_flood(now_ms)) {
            return fail("it floods the connection with what nobody asked for", now_ms);
        }
        if (const auto how = connection->ended(); how && !session->is_over()) {
            take_events(now_ms);
            if (session) {
                fail(*how, now_ms);
            }
        }
    }

    bool is_flood(std::int64_t now_ms) {
        const auto& c = session->counts();
        const auto noise =
            c.unknown_answers + c.unreadable + c.too_early + c.unknown_methods + c.dropped + notifications;
        if (now_ms - noise_since_ms > noise_ms) {
            noise_since_ms = now_ms;
            noise_before = noise;
        }
        return noise - noise_before > noise_max;
    }

    void send_calls(std::int64_t now_ms) {
        if (!session->is_open()) {
            return;
        }
        const std::scoped_lock lock(desk.mutex_);
        for (const auto& [ticket, call] : desk.calls_) {
            if (call->unwanted) {
                const auto running = std::ranges::find_if(tickets, [&](const auto& t) { return t.second == ticket; });
                if (running != tickets.end()) {
                    session->cancel(running->first);
                }
                finish(*call, problem{code::cancelled, "The call was cancelled."});
            }
        }
        for (; !desk.to_send_.empty(); desk.to_send_.pop_front()) {
            const auto found = desk.calls_.find(desk.to_send_.front());
            if (found == desk.calls_.end() || found->second->answer) {
                continue;
            }
            auto& call = *found->second;
            const auto id = session->call(
                call.method, call.params, now_ms,
                {.time_out_ms = static_cast<std::int64_t>(desk.settings_.time_out_ms), .progress = call.with_progress});
            if (id) {
                tickets[*id] = found->first;
            } else {
                finish(call, id.error());
            }
        }
    }

    void keep_alive(std::int64_t now_ms) {
        if (!session->is_open()) {
            return;
        }
        if (ping_call == 0 && now_ms >= check_ms) {
            if (const auto id = session->ping(now_ms, check_ms_max)) {
                ping_call = *id;
                pinged_ms = now_ms;
            }
        }
        offered.look(*session, now_ms);
    }

    void take_events(std::int64_t now_ms) {
        for (auto& e : session->take_events()) {
            std::visit([&](auto& each) { on(each, now_ms); }, e);
            if (!session) {
                return;
            }
        }
        for (const auto& line : session->take_messages()) {
            connection->send(line);
        }
        flushed = connection->flush();
    }

    void on(mcp::opened& e, std::int64_t now_ms) {
        check_ms = now_ms;
        offered.open(e, *session, now_ms);
        desk.note(fmt::format("[troupe] connected: {} {}, protocol {}", e.server_name, e.server_version, e.version));
        const std::scoped_lock lock(desk.mutex_);
        desk.shown_.protocol_version = e.version;
        desk.shown_.server_name = e.server_name;
        desk.shown_.server_version = e.server_version;
        desk.shown_.health.status = mcp_status::healthy;
        desk.shown_.health.error.reset();
    }

    void on(mcp::finished& e, std::int64_t now_ms) {
        if (e.call == ping_call) {
            return checked(e, now_ms);
        }
        if (offered.take(e, *session, now_ms)) {
            return;
        }
        const auto ticket = tickets.find(e.call);
        if (ticket == tickets.end()) {
            return;
        }
        const std::scoped_lock lock(desk.mutex_);
        if (const auto call = desk.calls_.find(ticket->second); call != desk.calls_.end()) {
            finish(*call->second, std::move(e.result));
        }
        tickets.erase(ticket);
    }

    void checked(const mcp::finished& e, std::int64_t now_ms) {
        ping_call = 0;
        check_ms = now_ms + check_every_ms;
        const bool in_time = e.result || e.said; // a server that does not know the check is there all the same
        missed_checks = in_time ? 0 : missed_checks + 1;
        {
            const std::scoped_lock lock(desk.mutex_);
            auto& health = desk.shown_.health;
            health.last_check = system_now();
            health.status = in_time ? mcp_status::healthy : mcp_status::timeout;
            health.latency_ms = in_time ? std::optional(now_ms - pinged_ms) : std::nullopt;
            health.error = in_time ? std::nullopt : std::optional<std::string>("it did not answer within 5 s");
        }
        if (missed_checks >= missed_checks_max) {
            fail("it did not answer three checks", now_ms);
        }
    }

    void on(mcp::list_changed& e, std::int64_t) {
        ++notifications;
        offered.change(e.what);
    }
    void on(mcp::logged& e, std::int64_t) {
        ++notifications;
        desk.note(fmt::format("[{}] {}{}", e.level, e.logger.empty() ? "" : e.logger + ": ", e.data.text));
    }
    void on(mcp::failed& e, std::int64_t now_ms) { fail(e.why.detail, now_ms); }
    void on(mcp::progressed& e, std::int64_t) {
        ++notifications;
        const auto ticket = tickets.find(e.call);
        const std::scoped_lock lock(desk.mutex_);
        const auto call = ticket == tickets.end() ? desk.calls_.end() : desk.calls_.find(ticket->second);
        if (call != desk.calls_.end()) {
            e.message = std::string(utf8_prefix(e.message, progress_bytes_max));
            call->second->progress = std::move(e);
            call->second->changed.notify_all();
        }
    }
    void on(mcp::resource_updated& e, std::int64_t) {
        ++notifications;
        offered.updated(e.uri);
    }

    // ---- what it asks

    void on(mcp::asked& e, std::int64_t now_ms) {
        if (e.what == mcp::question_kind::roots) {
            return answer(e.question, roots(), now_ms);
        }
        const std::scoped_lock lock(desk.mutex_);
        if (auto* call = asker(e.call); call && e.what == mcp::question_kind::elicitation) {
            call->questions.push_back({sessions, e.question, std::move(e.params)});
            call->changed.notify_all();
        } else {
            desk.lines_.push_back("[troupe] it asked a person, and there is nobody to ask");
            answer(e.question, json::raw{R"({"action":"cancel"})"}, now_ms);
        }
    }
    void on(mcp::withdrawn& e, std::int64_t) {
        const std::scoped_lock lock(desk.mutex_);
        for (const auto& [ticket, call] : desk.calls_) {
            call->withdrawn.emplace(sessions, e.question);
        }
    }

    /// Whose question it is: without a name, of the only call that runs. Null: of none that can ask.
    open_call* asker(const std::optional<mcp::call_id>& named) {
        open_call* out = nullptr;
        for (const auto& [id, ticket] : tickets) {
            const auto found = desk.calls_.find(ticket);
            if (found == desk.calls_.end() || (named && *named != id)) {
                continue;
            }
            if (out) {
                return nullptr;
            }
            out = found->second.get();
        }
        return out && out->can_ask ? out : nullptr;
    }

    void answer(mcp::question_id question, const json::raw& with, std::int64_t now_ms) {
        if (const auto done = session->answer(question, with, now_ms); !done && done.error().code != code::not_found) {
            log_for("mcp").warn("{} cannot be answered: {}", desk.settings_.name, done.error().detail);
        }
    }

    [[nodiscard]] json::raw roots() const {
        std::string out = R"({"roots":[)";
        for (const auto& folder : desk.settings_.roots) {
            out += out.ends_with('[') ? "" : ",";
            json::object_writer(out)
                .field("uri", "file://" + net::percent_encode(folder, "/"))
                .field("name", folder)
                .end();
        }
        return {out + "]}"};
    }

    void send_answers(std::int64_t now_ms) {
        const std::scoped_lock lock(desk.mutex_);
        for (const auto& given : std::exchange(desk.answers_, {})) {
            if (given.session == sessions) {
                answer(given.id, given.with, now_ms);
            }
        }
    }

    std::optional<std::int64_t> next_ms(std::int64_t now_ms) const {
        if (!connection || !session) {
            return std::max<std::int64_t>(retry_ms - now_ms, 0);
        }
        auto at_ms = session->wake_ms();
        if (session->is_open()) {
            at_ms = std::min({at_ms, ping_call == 0 ? check_ms : at_ms, offered.due_ms()});
        }
        const auto rest_ms = std::clamp<std::int64_t>(at_ms - now_ms, 0, check_every_ms);
        return flushed ? rest_ms : std::min(rest_ms, flush_again_ms);
    }

    mcp_desk& desk;
    const runtime::nudge wake;
    std::unique_ptr<mcp::transport> connection;
    std::optional<mcp::client_session> session;
    std::map<mcp::call_id, std::uint64_t> tickets;
    offers offered;
    std::uint64_t sessions = 0; ///< Of this actor.
    mcp::call_id ping_call = 0;
    std::int64_t pinged_ms = 0;
    std::int64_t check_ms = 0;
    std::int64_t begun_ms = 0;
    std::int64_t retry_ms = 0;
    std::int64_t back_off_ms = back_off_first_ms;
    std::size_t missed_checks = 0;
    std::uint64_t notifications = 0; ///< Of this connection.
    std::uint64_t noise_before = 0;
    std::int64_t noise_since_ms = 0;
    std::uint64_t starts = 0;
    bool probe = true;
    bool flushed = true;
    std::string lost_locked;
    std::jthread ending; ///< Of the connection before.
};

runtime::nudged_part mcp_desk::part() {
    return {settings_.name, "mcp_connection", figures_,
            [me = shared_from_this()](runtime::nudge wake) -> runtime::nudged_part::look {
                const auto work = std::make_shared<keeper>(*me, wake);
                {
                    const std::scoped_lock lock(me->mutex_);
                    me->wake_ = std::move(wake);
                }
                return [me, work] { return work->look(); };
            }};
}

} // namespace troupe::actors
