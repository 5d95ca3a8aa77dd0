#include "net/etcd/etcd_coordinator.hpp"

#include "net/etcd/etcd_connection.hpp"
#include "net/etcd/etcd_session.hpp"
#include "net/etcd/etcd_wire.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <deque>
#include <exception>
#include <future>
#include <map>
#include <random>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
namespace cluster = runtime::cluster;
using namespace etcd;
using commit_done = std::function<void(expected<cluster::transaction_result>)>;

/// Commits at once: etcd puts what comes together into one fsync. Further ones wait.
constexpr std::size_t commits_in_flight_max = 16;
/// A fail-over writes one for each shard. More that wait are a mistake.
constexpr std::size_t commits_waiting_max = 4096;
/// A connection that was closed while it rested says nothing of the endpoint, so a commit is sent once more.
constexpr int commit_tries = 2;

problem bad_setting(std::string detail) { return {code::config_invalid, std::move(detail)}; }

expected<std::shared_ptr<asio::ssl::context>> make_tls(const etcd_settings& s) {
    namespace ssl = asio::ssl;
    auto out = std::make_shared<ssl::context>(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(out->native_handle(), TLS1_2_VERSION);
    boost::system::error_code bad;
    if (s.ca_file.empty())
        out->set_default_verify_paths(bad);
    else
        out->load_verify_file(s.ca_file, bad);
    if (bad)
        return bad_setting(fmt::format("The certificates in {} that etcd is checked with cannot be read: {}.",
                                       s.ca_file.empty() ? "the system's store" : s.ca_file, bad.message()));
    if (s.certificate_file.empty())
        return out;
    out->use_certificate_chain_file(s.certificate_file, bad);
    if (!bad)
        out->use_private_key_file(s.key_file, ssl::context::pem, bad);
    if (bad || SSL_CTX_check_private_key(out->native_handle()) != 1)
        return bad_setting(fmt::format("The certificate in {} and the key in {}, which this node shows etcd, cannot be "
                                       "read or do not belong together{}{}.",
                                       s.certificate_file, s.key_file, bad ? ": " : "", bad ? bad.message() : ""));
    return out;
}

expected<std::vector<endpoint_address>> check_settings(const etcd_settings& s) {
    const bool plain = std::all_of(s.prefix.begin(), s.prefix.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (s.prefix.empty() || !plain)
        return bad_setting("The prefix of the keys in etcd is empty or has characters other than printable ASCII.");
    if (s.ttl_ms < 1'000 || s.ttl_ms > 3'600'000)
        return bad_setting("The lease at etcd has to be between 1 s and 1 h long.");
    if (s.request_time_out_ms < 100 || s.request_time_out_ms > 60'000)
        return bad_setting("The time-out of requests to etcd has to be between 100 ms and 60 s.");
    if (s.certificate_file.empty() != s.key_file.empty())
        return bad_setting("A certificate for etcd needs its key, and a key its certificate.");
    if (s.user.empty() != s.password.empty())
        return bad_setting("A user of etcd needs a password, and a password its user.");
    const bool tls = !s.ca_file.empty() || !s.certificate_file.empty();
    std::vector<endpoint_address> out;
    for (const auto& text : s.endpoints) {
        auto one = parse_endpoint(text, tls);
        if (!one)
            return one.error();
        out.push_back(std::move(*one));
    }
    if (out.empty())
        return bad_setting("No endpoint of etcd is given.");
    return out;
}

class etcd_coordinator final : public cluster::coordinator {
public:
    etcd_coordinator(etcd_settings s, std::vector<endpoint_address> endpoints, std::shared_ptr<asio::ssl::context> tls);
    ~etcd_coordinator() override { stop(); }

    void start(cluster::coordinator_listener& listener) override;
    void stop() override;
    void commit(cluster::transaction what, commit_done done) override;

private:
    struct waiting_commit {
        request what;
        std::uint64_t lease = 0; ///< That it was made under; 0: it has no leased changes.
        std::int64_t until_ms = 0;
        int tries = 0;
        commit_done done;
    };
    using request_done = std::function<void(outcome)>;

    void work();
    void settle();
    void perform(const action& next);
    void perform_watch(const open_watch& next);
    void leave_endpoint(std::size_t endpoint);
    void wake();

    std::shared_ptr<connection> connection_to(std::size_t endpoint);
    void call(std::size_t endpoint, const request& what, std::int64_t time_out_ms, request_done done);
    void with_token(std::size_t endpoint, std::int64_t time_out_ms, std::function<void(const std::string& why)> go);

    void take_commit(cluster::transaction what, commit_done done);
    void send_commits();
    void finish_commit(waiting_commit one, outcome with);
    void refuse_waiting(const std::string& why);
    void refuse_late();

    const etcd_settings settings_;
    const std::vector<endpoint_address> endpoints_;
    std::shared_ptr<asio::io_context> context_ = std::make_shared<asio::io_context>(1);
    asio::executor_work_guard<asio::io_context::executor_type> busy_{context_->get_executor()};
    std::thread thread_;
    bool stopped_ = false; ///< Of whoever calls `start` and `stop`.

    // Of the thread.
    session session_;
    cluster::coordinator_listener* listener_ = nullptr; ///< Null: not started, or stopping.
    asio::steady_timer timer_{*context_};
    std::shared_ptr<asio::ssl::context> tls_;
    std::map<std::size_t, std::vector<std::shared_ptr<connection>>> connections_;
    std::pair<std::uint64_t, std::shared_ptr<connection>> watch_;
    std::deque<waiting_commit> commits_;
    std::size_t commits_in_flight_ = 0;
    std::string token_;
    bool authenticating_ = false;
    std::vector<std::function<void(const std::string& why)>> for_token_;
    bool settling_ = false;
    std::shared_ptr<std::promise<void>> over_; ///< Of `stop`, which waits for it.
    bool closing_ = false;
};

session_settings for_session(const etcd_settings& s, const std::vector<endpoint_address>& endpoints) {
    session_settings out;
    for (const auto& one : endpoints)
        out.endpoints.push_back(one.name);
    out.prefix = s.prefix;
    out.ttl_ms = s.ttl_ms;
    out.request_time_out_ms = s.request_time_out_ms;
    out.seed = std::random_device()();
    return out;
}

etcd_coordinator::etcd_coordinator(etcd_settings s, std::vector<endpoint_address> endpoints,
                                   std::shared_ptr<asio::ssl::context> tls)
    : settings_(std::move(s)),
      endpoints_(std::move(endpoints)),
      session_(for_session(settings_, endpoints_)),
      tls_(std::move(tls)) {}

// ---- the thread

void etcd_coordinator::start(cluster::coordinator_listener& listener) {
    assert(!thread_.joinable() && !stopped_);
    asio::post(*context_, [this, &listener] {
        listener_ = &listener;
        session_.start(monotonic_ms());
        settle();
    });
    thread_ = std::thread([this] { work(); });
}

void etcd_coordinator::work() {
    try {
        context_->run();
    } catch (const std::exception& e) { // of a listener, or no memory: what it was told is lost
        log_for("etcd").critical("A callback of the coordinator threw: {}", e.what());
        std::terminate();
    }
}

void etcd_coordinator::stop() {
    if (std::exchange(stopped_, true) || !thread_.joinable())
        return;
    assert(std::this_thread::get_id() != thread_.get_id());
    auto promise = std::make_shared<std::promise<void>>();
    const auto over = promise->get_future();
    asio::post(*context_, [this, promise] {
        listener_ = nullptr;
        over_ = promise;
        refuse_waiting("This node stops.");
        session_.stop(monotonic_ms());
        settle();
    });
    over.wait_for(std::chrono::milliseconds(settings_.request_time_out_ms));
    asio::post(*context_, [this] { // when all is closed, the thread has nothing more to do
        closing_ = true;
        watch_ = {};
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
            leave_endpoint(i);
        timer_.cancel();
        busy_.reset();
    });
    thread_.join();
}

/// Does what the session wants, until it wants nothing more.
void etcd_coordinator::settle() {
    if (std::exchange(settling_, true))
        return;
    for (auto actions = session_.take_actions(); !actions.empty(); actions = session_.take_actions())
        for (const auto& one : actions)
            perform(one);
    settling_ = false;
    if (session_.is_unreachable())
        refuse_waiting(session_.why_unreachable());
    send_commits();
    if (over_ && session_.is_over()) {
        over_->set_value();
        over_.reset();
    }
    wake();
}

void etcd_coordinator::wake() {
    if (closing_)
        return;
    const auto at = std::min(session_.wake_ms(), commits_.empty() ? session_.wake_ms() : commits_.front().until_ms);
    constexpr std::int64_t most_ms = 3'600'000;
    timer_.expires_after(std::chrono::milliseconds(std::clamp<std::int64_t>(at - monotonic_ms(), 0, most_ms)));
    timer_.async_wait([this](boost::system::error_code ec) {
        if (ec)
            return;
        refuse_late();
        session_.tick(monotonic_ms());
        settle();
    });
}

void etcd_coordinator::perform(const action& next) {
    std::visit(
        [this](const auto& one) {
            using kind = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<kind, ask>) {
                call(one.endpoint, one.what, one.time_out_ms, [this, id = one.id](const outcome& out) {
                    if (out.got)
                        session_.answered(id, *out.got, monotonic_ms());
                    else
                        session_.failed(id, out.why, monotonic_ms());
                    settle();
                });
            } else if constexpr (std::is_same_v<kind, open_watch>) {
                perform_watch(one);
            } else if constexpr (std::is_same_v<kind, close_watch>) {
                if (watch_.first == one.id && watch_.second)
                    std::exchange(watch_, {}).second->close("it is not needed any more");
            } else if constexpr (std::is_same_v<kind, leave>) {
                leave_endpoint(one.endpoint);
            } else if (listener_ != nullptr) {
                if constexpr (std::is_same_v<kind, tell_map>)
                    listener_->on_map(one.all, one.revision);
                else if constexpr (std::is_same_v<kind, tell_changes>)
                    listener_->on_changes(one.changes, one.revision);
                else if constexpr (std::is_same_v<kind, tell_lease>)
                    listener_->on_lease(one.now);
                else
                    listener_->on_reachable(one.reachable, one.why);
            }
        },
        next);
}

void etcd_coordinator::perform_watch(const open_watch& next) {
    with_token(next.endpoint, next.time_out_ms, [this, next](const std::string& why) {
        if (!session_.wants_watch(next.id)) // it waited for a token for too long
            return;
        if (!why.empty()) {
            session_.watch_ended(next.id, why, monotonic_ms());
            return settle();
        }
        // Beside the pool: no request may follow on it.
        auto own =
            std::make_shared<connection>(context_, endpoints_[next.endpoint], tls_, session::watch_line_bytes_max);
        connections_[next.endpoint].push_back(own);
        watch_ = {next.id, own};
        own->stream(
            next.what, token_, next.time_out_ms,
            [this, id = next.id](std::string_view piece) {
                session_.watch_piece(id, piece, monotonic_ms());
                settle();
            },
            [this, id = next.id](const outcome& end) {
                const auto bad = end.got ? failure_of(*end.got) : std::nullopt;
                session_.watch_ended(id, bad ? bad->what.detail : end.why, monotonic_ms());
                settle();
            });
    });
}

void etcd_coordinator::leave_endpoint(std::size_t endpoint) {
    for (const auto& one : std::exchange(connections_[endpoint], {}))
        one->close("the connection was given up");
    if (closing_ || (settings_.ca_file.empty() && settings_.certificate_file.empty()))
        return;
    // The files may be new: certificates are renewed while nodes run.
    if (auto again = make_tls(settings_))
        tls_ = std::move(*again);
    else
        log_for("etcd").error("{} Those that were read before stay in use.", again.error().detail);
}

// ---- requests

std::shared_ptr<connection> etcd_coordinator::connection_to(std::size_t endpoint) {
    auto& all = connections_[endpoint];
    std::erase_if(all, [](const auto& one) { return one->is_closed(); });
    const auto free = std::find_if(all.begin(), all.end(), [](const auto& one) { return one->is_idle(); });
    if (free != all.end())
        return *free;
    return all.emplace_back(
        std::make_shared<connection>(context_, endpoints_[endpoint], tls_, session::watch_line_bytes_max));
}

/// Sends it once more with a new token when etcd has forgotten the one that was used: then it was not served.
void etcd_coordinator::call(std::size_t endpoint, const request& what, std::int64_t time_out_ms, request_done done) {
    with_token(endpoint, time_out_ms, [=, this](const std::string& why) {
        if (!why.empty())
            return done({std::nullopt, false, why});
        connection_to(endpoint)->call(what, token_, time_out_ms, [=, this, used = token_](outcome out) {
            const auto bad = out.got ? failure_of(*out.got) : std::nullopt;
            if (!bad || !bad->bad_token || settings_.user.empty())
                return done(std::move(out));
            if (token_ == used)
                token_.clear();
            with_token(endpoint, time_out_ms, [=, this](const std::string& again_why) {
                if (!again_why.empty())
                    return done({std::nullopt, false, again_why});
                connection_to(endpoint)->call(what, token_, time_out_ms, done);
            });
        });
    });
}

/// One asks for a token, the others wait for it. `why` is empty when there is one, or none is needed.
void etcd_coordinator::with_token(std::size_t endpoint, std::int64_t time_out_ms,
                                  std::function<void(const std::string& why)> go) {
    if (settings_.user.empty() || !token_.empty())
        return go("");
    for_token_.push_back(std::move(go));
    if (std::exchange(authenticating_, true))
        return;
    const auto what = authenticate(settings_.user, settings_.password);
    connection_to(endpoint)->call(what, "", time_out_ms, [this](const outcome& out) {
        authenticating_ = false;
        std::string why = out.why;
        if (out.got) {
            const auto bad = failure_of(*out.got);
            const auto token = bad ? expected<std::string>(bad->what) : read_token_answer(out.got->body);
            why = token ? "" : token.error().detail;
            token_ = token ? *token : "";
        }
        for (const auto& waiting : std::exchange(for_token_, {}))
            waiting(why);
    });
}

// ---- commits

void etcd_coordinator::commit(cluster::transaction what, commit_done done) {
    asio::post(*context_, [this, what = std::move(what), done = std::move(done)]() mutable {
        take_commit(std::move(what), std::move(done));
    });
}

void etcd_coordinator::take_commit(cluster::transaction what, commit_done done) {
    if (const auto good = cluster::check(what); !good)
        return done(good.error());
    const auto refuse = [&](std::string why) { done(problem{code::unavailable, std::move(why)}); };
    const bool leased = std::any_of(what.then.begin(), what.then.end(), [](const auto& c) { return c.leased; });
    if (listener_ == nullptr)
        return refuse("This node stops.");
    if (session_.is_unreachable())
        return refuse(session_.why_unreachable());
    if (leased && session_.lease_id() == 0)
        return refuse("This node has no lease at etcd now.");
    if (commits_.size() >= commits_waiting_max)
        return refuse("Too many commits wait for etcd.");
    waiting_commit one;
    one.lease = leased ? session_.lease_id() : 0;
    one.what = commit_transaction(settings_.prefix, what, one.lease);
    one.until_ms = monotonic_ms() + settings_.request_time_out_ms;
    one.done = std::move(done);
    commits_.push_back(std::move(one));
    settle();
}

void etcd_coordinator::send_commits() {
    while (session_.endpoint() && !commits_.empty() && commits_in_flight_ < commits_in_flight_max) {
        auto one = std::make_shared<waiting_commit>(std::move(commits_.front()));
        commits_.pop_front();
        if (one->lease != 0 && one->lease != session_.lease_id()) {
            one->done(problem{code::unavailable, "The lease under which it was to be written has ended."});
            continue;
        }
        ++commits_in_flight_;
        ++one->tries;
        const auto left_ms = std::max<std::int64_t>(one->until_ms - monotonic_ms(), 1);
        call(*session_.endpoint(), one->what, left_ms, [this, one](outcome out) {
            --commits_in_flight_;
            finish_commit(std::move(*one), std::move(out));
            settle();
        });
    }
}

void etcd_coordinator::finish_commit(waiting_commit one, outcome with) {
    if (!with.got) {
        if (with.may_be_applied)
            return one.done(
                problem{code::unknown_outcome, fmt::format("etcd did not say whether it was applied: {}.", with.why)});
        if (one.tries < commit_tries && monotonic_ms() < one.until_ms && listener_ != nullptr)
            return commits_.push_front(std::move(one));
        return one.done(problem{code::unavailable, fmt::format("etcd was not reached: {}.", with.why)});
    }
    if (const auto bad = failure_of(*with.got)) {
        if (bad->no_lease)
            session_.lease_gone(one.lease, monotonic_ms());
        return one.done(bad->what);
    }
    const auto result = read_transaction_answer(with.got->body, settings_.prefix);
    if (result)
        one.done(*result);
    else
        one.done(problem{code::unknown_outcome, result.error().detail});
}

void etcd_coordinator::refuse_waiting(const std::string& why) {
    for (const auto& one : std::exchange(commits_, {}))
        one.done(problem{code::unavailable, why});
}

void etcd_coordinator::refuse_late() {
    const auto now_ms = monotonic_ms();
    while (!commits_.empty() && commits_.front().until_ms <= now_ms) {
        const auto one = std::move(commits_.front());
        commits_.pop_front();
        one.done(problem{code::unavailable, "It could not be sent to etcd in time."});
    }
}

} // namespace

expected<std::unique_ptr<runtime::cluster::coordinator>> make_etcd_coordinator(etcd_settings settings) {
    auto endpoints = check_settings(settings);
    if (!endpoints)
        return endpoints.error();
    std::shared_ptr<asio::ssl::context> tls;
    if (std::any_of(endpoints->begin(), endpoints->end(), [](const auto& one) { return one.tls; })) {
        auto made = make_tls(settings);
        if (!made)
            return made.error();
        tls = std::move(*made);
    }
    return std::unique_ptr<cluster::coordinator>(
        std::make_unique<etcd_coordinator>(std::move(settings), std::move(*endpoints), std::move(tls)));
}

} // namespace troupe::net
