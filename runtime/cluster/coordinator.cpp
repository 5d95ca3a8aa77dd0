#include "runtime/cluster/coordinator.hpp"

#include <fmt/format.h>

#include <set>
#include <string_view>

namespace troupe::runtime::cluster {

namespace {

problem refused(std::string detail) { return {code::invalid_request, std::move(detail)}; }

} // namespace

expected<void> check(const transaction& what) {
    const auto count = what.when.size() + what.then.size();
    if (count > transaction_max)
        return refused(fmt::format("A transaction of {} conditions and changes is too big; {} are allowed.", count,
                                   transaction_max));
    std::size_t bytes = 0;
    for (const auto& one : what.when) {
        if (one.key.empty())
            return refused("A condition of a transaction names no key.");
        bytes += one.key.size();
    }
    std::set<std::string_view> changed;
    for (const auto& one : what.then) {
        if (one.key.empty())
            return refused("A change of a transaction names no key.");
        if (!changed.insert(one.key).second)
            return refused(fmt::format("A transaction changes the key '{}' twice.", one.key));
        bytes += one.key.size() + (one.value ? one.value->size() : 0);
    }
    if (bytes > transaction_bytes_max)
        return refused(
            fmt::format("A transaction of {} bytes is too big; {} are allowed.", bytes, transaction_bytes_max));
    return {};
}

} // namespace troupe::runtime::cluster
