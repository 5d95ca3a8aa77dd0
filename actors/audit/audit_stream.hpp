#pragma once

#include "actors/audit/sink_model.hpp"
#include "runtime/services.hpp"
#include "schemas/audit.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// Passes the audit log on to outside systems as it grows, of all organizations: at least once, in the order of each
/// shard.
namespace troupe::actors {

/// A line as it is passed on.
struct passed_line {
    uuid organization_id;
    std::uint32_t shard = 0;
    audit_entry entry;
};

/// Where lines go. One call at a time, from the stream's thread; may block, for as long as its own time-outs say.
class audit_sink {
public:
    virtual ~audit_sink() = default;
    /// Takes them all, or a problem: then they come again.
    virtual expected<void> take(const std::vector<passed_line>& lines, const std::stop_token& stop) = 0;
};

/// POSTs {"lines": […]} to an http(s) URL. Any 2xx takes them. With a secret the header `Troupe-Signature` is
/// as `webhook_signature` makes it.
std::unique_ptr<audit_sink> make_webhook_sink(std::string url, std::function<expected<std::string>()> secret);

/// To a syslog server (net/client/syslog.hpp): a message a line, JSON its text. What the network loses after it was
/// sent is not sent again.
expected<std::unique_ptr<audit_sink>> make_syslog_sink(const std::string& place);

/// JSON of a line: the entry with its organization and shard.
std::string passed_json(const passed_line& line);
/// An RFC 5424 message of that host.
std::string to_syslog(const passed_line& line, std::string_view host);

class audit_stream {
public:
    /// `place` names what the position is remembered for. Reads from the tables, journals how far it got. The services
    /// outlive it.
    audit_stream(const runtime::services& s, std::string place, std::unique_ptr<audit_sink> sink);
    ~audit_stream();
    audit_stream(const audit_stream&) = delete;
    audit_stream& operator=(const audit_stream&) = delete;

private:
    void work(const std::stop_token& stop);
    expected<bool> pass_on(const std::stop_token& stop);
    void wait(const std::stop_token& stop, std::int64_t ms);
    expected<void> remember(const std::vector<audit_position>& moved);

    const runtime::services& services_;
    std::string place_;
    std::unique_ptr<audit_sink> sink_;
    std::vector<audit_position> positions_; ///< By shard.
    std::vector<std::uint64_t> seen_;       ///< The mark of each shard when there was nothing more to pass on.
    bool begun_ = false;                    ///< They were read.
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::jthread thread_; // the last: it uses the others
};

} // namespace troupe::actors
