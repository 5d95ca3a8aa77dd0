#pragma once

#include "net/http/route.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

/// How many sessions and keys there may be.
namespace troupe::actors {

class identity;

/// Ends the oldest sessions of a person beyond `identity.sessions_max`; then, or when that cannot be done now, calls
/// `done` once. After the new one was opened: of several logins at the same time the last one sees all of them. At most
/// 100 for a login; what is left goes with the next one.
void end_oldest_sessions(identity& me, const net::request& r, const uuid& user, std::function<void()> done);

/// Places for keys that are being made: so that several at the same time do not pass the bound together. Thread-safe.
class key_places {
public:
    /// A place for one more key of that owner in the organization, held until the key is committed or refused.
    /// `too_many_keys`: it has `identity.api_keys_max` that are good. Two that are made at the same time may be refused
    /// one place early, never be one too many.
    expected<std::shared_ptr<void>> take(const identity& me, const uuid& organization, const std::string& owner);

private:
    std::mutex mutex_;
    std::map<std::pair<uuid, std::string>, std::size_t> being_made_;
};

} // namespace troupe::actors
