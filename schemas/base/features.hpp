#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

/// What a program can store that older ones cannot read, by name. In a cluster a feature is on when all nodes know it;
/// until then everything is stored as the nodes that do not know it read it (schemas/base/versions.hpp). Once on, a
/// feature stays on, and a node that does not know it cannot come back.
namespace troupe {

using feature_set = std::set<std::string, std::less<>>;

/// The features that are on at a node. Thread-safe.
class feature_switch {
public:
    /// Null: all are, as at a node alone.
    [[nodiscard]] std::shared_ptr<const feature_set> get() const {
        const std::lock_guard lock(mutex_);
        return on_;
    }
    void set(feature_set on) {
        auto next = std::make_shared<const feature_set>(std::move(on));
        const std::lock_guard lock(mutex_);
        on_ = std::move(next);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const feature_set> on_;
};

} // namespace troupe
