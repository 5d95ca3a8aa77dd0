#pragma once

#include "schemas/base/problem.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

namespace troupe::actors {

/// Calls that whoever began them gave a name, so that they can be cancelled from elsewhere. Thread-safe; has to outlive
/// what `begin` gave.
class mcp_calls {
public:
    /// A call under way; it is over when this is destroyed.
    class entry {
    public:
        entry(mcp_calls& all, std::string name) : all_(all), name_(std::move(name)) {}
        ~entry() {
            const std::scoped_lock lock(all_.mutex_);
            all_.running_.erase(name_);
        }
        entry(const entry&) = delete;
        [[nodiscard]] std::stop_token stop() const { return stop_; }

    private:
        friend class mcp_calls;
        mcp_calls& all_;
        const std::string name_;
        std::stop_token stop_;
    };

    /// `conflict`: a call of that name is under way.
    expected<std::unique_ptr<entry>> begin(const std::string& name) {
        const std::scoped_lock lock(mutex_);
        const auto [at, is_new] = running_.try_emplace(name);
        if (!is_new) {
            return problem{code::conflict, "A call of that name is under way."};
        }
        auto out = std::make_unique<entry>(*this, name);
        out->stop_ = at->second.get_token();
        return out;
    }

    /// False: there is no such call, or not any more.
    bool cancel(const std::string& name) {
        const std::scoped_lock lock(mutex_);
        const auto found = running_.find(name);
        return found != running_.end() && (found->second.request_stop(), true);
    }

private:
    std::mutex mutex_;
    std::map<std::string, std::stop_source> running_;
};

} // namespace troupe::actors
