#pragma once

#include "actors/kinds/browser/browser_process.hpp"
#include "actors/kinds/browser/page_log.hpp"
#include "actors/kinds/browser/page_tree.hpp"
#include "net/devtools/connection.hpp"
#include "runtime/config/fetch_policy.hpp"
#include "runtime/process/proxy_server.hpp"

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace troupe::actors {

/// A browser with its pages, driven over DevTools, and the proxy that is its only way out. The page that was opened
/// last is the one that everything is about. One thread at a time uses it; what blocks gives up when it is told to
/// stop.
class browser {
public:
    /// As of `browser_process::start`.
    static expected<std::unique_ptr<browser>> start(runtime::sandbox& commands, std::string key,
                                                    std::filesystem::path folder, runtime::fetch_policy allowed,
                                                    const std::stop_token& stop);

    /// Where the page is now.
    struct place {
        std::string url;
        int status = 0; ///< Of its answer; 0: none came.
    };

    /// False: it ended, or what it shows crashed.
    [[nodiscard]] bool is_alive() const;
    [[nodiscard]] place where() const;
    [[nodiscard]] std::string console() const;
    [[nodiscard]] std::string network() const;
    /// Places that were asked for since the last call and that the policy does not allow, a line each.
    std::string take_refusals();

    /// A command about the page; see `connection::call`.
    expected<net::devtools::message> call(std::string_view method, std::string_view parameters,
                                          const std::stop_token& stop, std::int64_t time_out_ms = 10'000);

    /// Goes to an address and waits until it is loaded, or for 30 s. `tool_failed` in the browser's words.
    expected<void> go(const std::string& url, const std::stop_token& stop);
    /// Waits until what an action began has loaded, 15 s at most.
    void settle(const std::stop_token& stop);
    /// Waits, unless it is told to stop.
    void rest(std::int64_t time_ms, const std::stop_token& stop);

    /// The nodes that the model has seen of the present document. `not_found` says what to do about an old one.
    void remember(std::set<std::int64_t> refs);
    [[nodiscard]] expected<std::int64_t> find(std::string_view ref) const;

private:
    struct page {
        std::string target;
        std::string session;
        std::string url = {};
        int status = 0;
        bool loading = false;
        std::set<std::int64_t> refs = {};
    };

    explicit browser(runtime::fetch_policy allowed) : allowed_(std::move(allowed)) {}

    expected<void> drive(const std::stop_token& stop);
    void hear(const net::devtools::message& event);
    void attached(const json::value& event);
    void about_page(page& of, const net::devtools::message& event);
    void answer_dialog(const page& of, const json::value& dialog);
    std::optional<std::string> judge(const std::string& host, std::uint16_t port,
                                     const std::optional<ip_bytes>& address);
    [[nodiscard]] page* present() { return pages_.empty() ? nullptr : &pages_.back(); }
    [[nodiscard]] const page* present() const { return pages_.empty() ? nullptr : &pages_.back(); }

    const runtime::fetch_policy allowed_;
    std::uint16_t own_port_ = 0; ///< Where it is driven: no page gets there.
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<page> pages_; ///< The present one last.
    page_log log_;
    std::vector<std::string> refusals_;
    bool crashed_ = false;
    std::unique_ptr<runtime::proxy_server> proxy_;
    std::unique_ptr<browser_process> process_;
    std::unique_ptr<net::devtools::connection> connection_; ///< Ends first: its thread uses all of the above.
};

} // namespace troupe::actors
