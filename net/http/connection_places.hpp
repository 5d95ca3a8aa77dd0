#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace troupe::net {

/// How many connections each client address holds. Thread-safe. IPv6 clients have a /64 each, which counts as one.
class connection_places {
public:
    /// Takes a place for `network::place_key` of an address; how many it holds now.
    std::size_t take(const std::string& key);
    void give_back(const std::string& key);

private:
    std::mutex mutex_;
    std::unordered_map<std::string, std::size_t> held_;
};

/// A place that is given back when this ends. Empty: of an address that nobody counts.
class connection_place {
public:
    connection_place() = default;
    connection_place(std::shared_ptr<connection_places> of, std::string key)
        : of_(std::move(of)), key_(std::move(key)) {}
    ~connection_place() { end(); }
    connection_place(connection_place&& from) noexcept
        : of_(std::exchange(from.of_, nullptr)), key_(std::move(from.key_)) {}
    connection_place& operator=(connection_place&& from) noexcept {
        if (this != &from) {
            end();
            of_ = std::exchange(from.of_, nullptr);
            key_ = std::move(from.key_);
        }
        return *this;
    }

private:
    void end() {
        if (of_)
            std::exchange(of_, nullptr)->give_back(key_);
    }
    std::shared_ptr<connection_places> of_;
    std::string key_;
};

} // namespace troupe::net
