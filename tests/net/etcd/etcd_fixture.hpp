#pragma once

#include "net/etcd/etcd_coordinator.hpp"
#include "tests/runtime/cluster/recorder.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// What the tests with a real etcd share.
namespace troupe::net::test {

using namespace troupe::test;

inline net::etcd_settings settings_for(std::vector<std::string> endpoints) {
    net::etcd_settings s;
    s.endpoints = std::move(endpoints);
    s.prefix = "/troupe/";
    s.ttl_ms = 1'500; // etcd makes it 2 s; a third of this is how soon trouble is seen
    s.request_time_out_ms = 3'000;
    return s;
}

inline std::unique_ptr<cluster::coordinator> make(const net::etcd_settings& s) {
    return std::move(net::make_etcd_coordinator(s)).value();
}
inline std::unique_ptr<cluster::coordinator> make(std::vector<std::string> endpoints) {
    return make(settings_for(std::move(endpoints)));
}

/// Commits until it is applied, once: etcd is away now and then, and what had an unknown outcome may yet come. So each
/// try has a condition that only one of them can find.
inline void set_at_last(cluster::coordinator& at, const std::string& key, const std::string& value) {
    const auto end = std::chrono::steady_clock::now() + patience;
    for (std::uint64_t known = 0; std::chrono::steady_clock::now() < end;) {
        const auto result = commit(at, {{{key, known}}, {{key, value}}});
        if (!result)
            continue;
        if (result->applied || (!result->found.empty() && result->found[0].value == value))
            return;
        known = result->found.empty() ? 0 : result->found[0].revision;
    }
    throw std::runtime_error("it was never applied");
}

inline std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> out;
    for (int i = from; i < to; ++i)
        out.push_back(fmt::format("{}", i));
    return out;
}

inline bool has_code(const commit_result& result, code wanted) {
    if (!result)
        BOOST_TEST_MESSAGE(result.error().detail);
    return !result && result.error().code == wanted;
}

} // namespace troupe::net::test
