#include "actors/kinds/browser/browser.hpp"

#include "schemas/base/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace troupe::actors {

using net::devtools::connection;
using net::devtools::message;

namespace {

constexpr std::size_t pages_max = 5;
constexpr std::size_t refusals_max = 20;
constexpr std::int64_t connect_ms_max = 10'000;
constexpr std::int64_t go_ms_max = 30'000;
constexpr std::int64_t settle_ms_max = 15'000;
constexpr std::int64_t settle_ms_min = 200; ///< So long a click may take to begin to load something.

std::string object(std::initializer_list<std::pair<std::string_view, std::string_view>> texts) {
    std::string out;
    json::object_writer w(out);
    for (const auto& [name, text] : texts) {
        w.field(name, text);
    }
    w.end();
    return out;
}

std::uint16_t port_of(const std::string& url) {
    const auto slash = url.find('/', url.find("://") + 3);
    const auto colon = url.rfind(':', slash);
    std::uint16_t port = 0;
    std::from_chars(url.data() + colon + 1, url.data() + std::min(slash, url.size()), port);
    return port;
}

} // namespace

expected<std::unique_ptr<browser>> browser::start(runtime::sandbox& commands, std::string key,
                                                  std::filesystem::path folder, runtime::fetch_policy allowed,
                                                  const std::stop_token& stop) {
    auto made = std::unique_ptr<browser>(new browser(std::move(allowed)));
    auto proxy = runtime::proxy_server::start(
        [&me = *made](const std::string& host, std::uint16_t port, const std::optional<ip_bytes>& address) {
            return me.judge(host, port, address);
        });
    if (!proxy) {
        return proxy.error();
    }
    made->proxy_ = std::move(*proxy);
    auto process = browser_process::start(commands, std::move(key), std::move(folder), made->proxy_->port(), stop);
    if (!process) {
        return process.error();
    }
    made->process_ = std::move(*process);
    if (auto driven = made->drive(stop); !driven) {
        return driven.error();
    }
    return made;
}

expected<void> browser::drive(const std::stop_token& stop) {
    {
        const std::scoped_lock lock(mutex_);
        own_port_ = port_of(process_->url());
    }
    auto opened = connection::open(
        process_->url(), [this](const message& event) { hear(event); }, connect_ms_max);
    if (!opened) {
        return opened.error();
    }
    {
        const std::scoped_lock lock(mutex_);
        connection_ = std::move(*opened);
    }
    auto done = connection_->call("", "Browser.setDownloadBehavior", R"({"behavior":"deny","eventsEnabled":true})",
                                  connect_ms_max, stop);
    if (done) {
        done = connection_->call("", "Target.setAutoAttach",
                                 R"({"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,)"
                                 R"("filter":[{"type":"page"}]})",
                                 connect_ms_max, stop);
    }
    if (!done) {
        return done.error();
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(connect_ms_max), [&] { return present() != nullptr; });
    return present() ? expected<void>() : problem{code::unavailable, "the browser shows no page"};
}

std::optional<std::string> browser::judge(const std::string& host, std::uint16_t port,
                                          const std::optional<ip_bytes>& address) {
    const std::scoped_lock lock(mutex_);
    std::optional<std::string> why;
    if (address && is_loopback(*address) && (port == own_port_ || (proxy_ && port == proxy_->port()))) {
        why = fmt::format("{}:{} is the browser's own", host, port);
    } else if (address ? !allowed_.may_connect(host, *address) : !allowed_.may_look_up(host)) {
        why = fmt::format("{}{} is not allowed by tools.fetch.allow of the node's configuration", host,
                          address ? " at " + ip_text(*address) : "");
    }
    if (why && refusals_.size() < refusals_max && std::ranges::count(refusals_, *why) == 0) {
        refusals_.push_back(*why);
    }
    return why;
}

// ---- what the browser says

void browser::hear(const message& event) {
    const std::scoped_lock lock(mutex_);
    if (!connection_ && event.session.empty()) {
        return;
    }
    const auto of = event.content();
    if (event.method == "Target.attachedToTarget") {
        attached(of);
    } else if (event.method == "Target.detachedFromTarget") {
        std::erase_if(pages_, [gone = of.text_or("sessionId")](const page& p) { return p.session == gone; });
    } else if (event.method == "Browser.downloadWillBegin") {
        log_.say("download", "refused: " + of.text_or("url"));
    } else if (event.method == "Inspector.targetCrashed") {
        crashed_ = true;
    } else if (const auto found = std::ranges::find(pages_, event.session, &page::session); found != pages_.end()) {
        about_page(*found, event);
    }
    changed_.notify_all();
}

/// A page waits until it is told to go on, so that nothing of it is missed. A page that opens others for ever gets no
/// more of them.
void browser::attached(const json::value& event) {
    const auto info = event.find("targetInfo");
    const auto target = info ? info->text_or("targetId") : std::string();
    const auto session = event.text_or("sessionId");
    if (pages_.size() == pages_max) {
        connection_->send("", "Target.closeTarget", object({{"targetId", target}}));
        log_.say("page", "one more was refused: there are too many");
        return;
    }
    pages_.push_back({.target = target, .session = session, .url = info ? info->text_or("url") : ""});
    for (const auto* domain : {"Page.enable", "Runtime.enable", "Log.enable", "Network.enable", "DOM.enable",
                               "Accessibility.enable", "Runtime.runIfWaitingForDebugger"}) {
        connection_->send(session, domain);
    }
}

void browser::about_page(page& of, const message& event) {
    const auto said = event.content();
    log_.take(event);
    const bool main = said.text_or("frameId") == of.target;
    if (event.method == "Page.frameStartedLoading" && main) {
        of.loading = true;
    } else if (event.method == "Page.frameStoppedLoading" && main) {
        of.loading = false;
    } else if (event.method == "Page.navigatedWithinDocument" && main) {
        of.url = said.text_or("url");
    } else if (event.method == "Page.frameNavigated") {
        const auto frame = said.find("frame");
        if (frame && frame->text_or("id") == of.target) {
            of.url = frame->text_or("unreachableUrl", frame->text_or("url"));
            of.refs.clear();
        }
    } else if (event.method == "Network.responseReceived" && main && said.text_or("type") == "Document") {
        const auto response = said.find("response");
        of.status = response ? static_cast<int>(response->int_or("status")) : 0;
    } else if (event.method == "Page.javascriptDialogOpening") {
        answer_dialog(of, said);
    }
}

/// Nobody is there to answer: what only tells is accepted, what asks is not.
void browser::answer_dialog(const page& of, const json::value& dialog) {
    const auto type = dialog.text_or("type");
    const bool accepted = type == "alert" || type == "beforeunload";
    connection_->send(of.session, "Page.handleJavaScriptDialog",
                      accepted ? R"({"accept":true})" : R"({"accept":false})");
    log_.say(type, fmt::format("{} ({})", dialog.text_or("message"), accepted ? "accepted" : "dismissed"));
}

// ---- what it is asked

bool browser::is_alive() const {
    const std::scoped_lock lock(mutex_);
    return connection_ && connection_->is_open() && !crashed_ && present() != nullptr;
}

browser::place browser::where() const {
    const std::scoped_lock lock(mutex_);
    return present() ? place{present()->url, present()->status} : place{};
}

std::string browser::console() const {
    const std::scoped_lock lock(mutex_);
    return log_.console();
}

std::string browser::network() const {
    const std::scoped_lock lock(mutex_);
    return log_.network();
}

std::string browser::take_refusals() {
    const std::scoped_lock lock(mutex_);
    std::string out;
    for (const auto& one : std::exchange(refusals_, {})) {
        out += one + '\n';
    }
    return out;
}

expected<message> browser::call(std::string_view method, std::string_view parameters, const std::stop_token& stop,
                                std::int64_t time_out_ms) {
    std::string session;
    {
        const std::scoped_lock lock(mutex_);
        if (!present()) {
            return problem{code::tool_failed, "the page has closed itself; open an address again"};
        }
        session = present()->session;
    }
    return connection_->call(session, method, parameters, time_out_ms, stop);
}

expected<void> browser::go(const std::string& url, const std::stop_token& stop) {
    {
        const std::scoped_lock lock(mutex_);
        if (present()) {
            present()->status = 0;
        }
    }
    const auto begin_ms = monotonic_ms();
    const auto reply = call("Page.navigate", object({{"url", url}}), stop, go_ms_max);
    if (!reply) {
        return reply.error();
    }
    if (const auto failed = reply->content().text_or("errorText"); !failed.empty()) {
        return problem{code::tool_failed, failed};
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(begin_ms + go_ms_max - monotonic_ms()),
                      [&] { return !present() || !present()->loading; });
    return {};
}

void browser::settle(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto loads = [&] { return present() && present()->loading; };
    if (changed_.wait_for(lock, stop, std::chrono::milliseconds(settle_ms_min), loads)) {
        changed_.wait_for(lock, stop, std::chrono::milliseconds(settle_ms_max), [&] { return !loads(); });
    }
}

void browser::rest(std::int64_t time_ms, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(time_ms), [] { return false; });
}

void browser::remember(std::set<std::int64_t> refs) {
    const std::scoped_lock lock(mutex_);
    if (present()) {
        present()->refs = std::move(refs);
    }
}

expected<std::int64_t> browser::find(std::string_view ref) const {
    const auto node = parse_ref(ref);
    const std::scoped_lock lock(mutex_);
    if (!node || !present() || !present()->refs.contains(*node)) {
        return problem{code::not_found, fmt::format("there is no {} on the page as it is now: call browser_view, which "
                                                    "names what is there",
                                                    one_line(ref, 40))};
    }
    return *node;
}

} // namespace troupe::actors
